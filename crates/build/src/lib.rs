//! Source to image: one file per framework family
