//! A world under a virtual clock, for the tests of every module of this room.
