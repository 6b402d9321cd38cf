//! How many replicas a revision should have: a pure function of what is seen and when.

use std::time::Duration;

use crate::world::container_apps::{Scale, Target};

/// What the scaler looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Requests in the app and waiting for it, now.
    pub concurrent: u32,
    /// Something arrived since the last look.
    pub arrived: bool,
    /// Replicas that processors and memory ask for; 0 without such a rule.
    pub by_resources: u32,
    /// Only one replica is possible: the app listens on a port of its own choosing.
    pub single: bool,
}

/// Decides how many replicas there should be; remembers what it must to scale in late.
#[derive(Clone, Debug)]
pub(crate) struct Scaler {
    wanted: u32,
    /// Since when fewer would do, as a distance on the caller's clock.
    surplus_since: Option<Duration>,
    idle_since: Option<Duration>,
    /// From KEDA's and Kubernetes' 300 s, scaled.
    stabilization: Duration,
}

impl Scaler {
    /// Begins with `wanted` replicas.
    pub fn new(wanted: u32, stabilization: Duration) -> Scaler {
        Scaler { wanted, surplus_since: None, idle_since: None, stabilization }
    }

    /// How many there should be. `now` is the time since any fixed moment.
    pub fn turn(&mut self, now: Duration, scale: &Scale, seen: Seen) -> u32 {
        let busy = seen.concurrent > 0 || seen.arrived;
        self.idle_since = if busy { None } else { self.idle_since.or(Some(now)) };
        let idle = self.idle_since.map_or(Duration::ZERO, |since| now.saturating_sub(since));

        let max = if seen.single { 1 } else { scale.max.max(1) };
        let min = scale.min.min(max);
        let by_load = match scale.concurrency {
            Some(each) if each > 0 => seen.concurrent.div_ceil(each),
            _ => u32::from(busy),
        };
        let mut target = by_load.max(seen.by_resources).clamp(min, max);
        if target == 0 && (busy || idle < scale.cooldown) {
            // The last replica goes only after the cool-down.
            target = self.wanted.min(1);
        }
        if busy {
            target = target.max(1);
        }
        if target >= self.wanted {
            self.surplus_since = None;
            self.wanted = target;
        } else if self.wanted > max || (target == 0 && self.wanted == 1) {
            // Beyond what is allowed, or the cool-down has passed: at once.
            self.surplus_since = None;
            self.wanted = target;
        } else {
            let since = *self.surplus_since.get_or_insert(now);
            if now.saturating_sub(since) >= self.stabilization {
                self.surplus_since = None;
                self.wanted = target;
            }
        }
        self.wanted
    }
}

/// How many replicas keep what each uses at its target, as Kubernetes reckons: nothing changes within a tenth of it.
pub(crate) fn by_usage(running: u32, used: f64, request: f64, target: Target) -> u32 {
    if running == 0 {
        return 0;
    }
    let aim = match target {
        Target::Utilization(hundredths) => request * hundredths / 100.0,
        Target::Average(value) => value,
    };
    let ratio = used / f64::from(running) / aim.max(f64::MIN_POSITIVE);
    if (ratio - 1.0).abs() <= 0.1 {
        return running;
    }
    // Of what is measured wildly, the bounds make something sensible.
    (f64::from(running) * ratio).ceil().clamp(1.0, 1000.0) as u32
}

/// The wait before a container is started for the `nth` time after it ended: 10 s doubling to 300 s on Azure.
pub(crate) fn back_off(nth: u32, speed: f64) -> Duration {
    let azure = 10.0 * 2f64.powi(i32::try_from(nth.min(10)).unwrap_or(10)).min(30.0);
    // Even at no pace at all a crashing program must not take the whole processor.
    let least = 0.25 * 2f64.powi(i32::try_from(nth.min(5)).unwrap_or(5));
    Duration::from_secs_f64((azure * speed).clamp(least, azure.max(least)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(min: u32, max: u32) -> Scale {
        Scale {
            min,
            max,
            concurrency: Some(10),
            cpu: None,
            memory: None,
            cooldown: Duration::from_secs(300),
            unmodelled: Vec::new(),
        }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn load(concurrent: u32) -> Seen {
        Seen { concurrent, ..Seen::default() }
    }

    #[test]
    fn it_goes_out_with_concurrency_at_once_and_in_after_a_while() {
        let mut scaler = Scaler::new(1, at(300));
        let scale = scale(1, 4);
        assert_eq!(scaler.turn(at(0), &scale, load(10)), 1);
        assert_eq!(scaler.turn(at(1), &scale, load(11)), 2);
        assert_eq!(scaler.turn(at(2), &scale, load(500)), 4);
        assert_eq!(scaler.turn(at(3), &scale, load(5)), 4);
        assert_eq!(scaler.turn(at(200), &scale, load(35)), 4, "load came back: the wait begins anew");
        assert_eq!(scaler.turn(at(310), &scale, load(5)), 4);
        assert_eq!(scaler.turn(at(610), &scale, load(5)), 1);
    }

    #[test]
    fn it_goes_to_zero_after_the_cool_down_and_back_with_the_first_request() {
        let mut scaler = Scaler::new(1, at(300));
        let scale = scale(0, 3);
        assert_eq!(scaler.turn(at(0), &scale, load(1)), 1);
        assert_eq!(scaler.turn(at(1), &scale, load(0)), 1);
        assert_eq!(scaler.turn(at(300), &scale, load(0)), 1);
        assert_eq!(scaler.turn(at(301), &scale, load(0)), 0);
        assert_eq!(scaler.turn(at(900), &scale, load(0)), 0);
        assert_eq!(scaler.turn(at(901), &scale, Seen { arrived: true, ..load(0) }), 1);
        assert_eq!(scaler.turn(at(902), &scale, load(25)), 3);
    }

    #[test]
    fn an_app_with_a_port_of_its_own_gets_one_replica() {
        let mut scaler = Scaler::new(2, at(300));
        let seen = Seen { single: true, ..load(100) };
        assert_eq!(scaler.turn(at(0), &scale(2, 5), seen), 1);
    }

    #[test]
    fn processors_and_memory_ask_for_replicas() {
        let half = Target::Utilization(50.0);
        assert_eq!(by_usage(1, 0.25, 0.25, half), 2);
        assert_eq!(by_usage(2, 0.25, 0.25, half), 2, "at its target");
        assert_eq!(by_usage(2, 0.26, 0.25, half), 2, "within a tenth of it");
        assert_eq!(by_usage(3, 0.02, 0.25, half), 1);
        assert_eq!(by_usage(2, 1000.0, 512.0, Target::Average(250.0)), 4);
        assert_eq!(by_usage(0, 0.0, 0.25, half), 0);
        let mut scaler = Scaler::new(1, at(300));
        let scale = scale(0, 3);
        assert_eq!(scaler.turn(at(0), &scale, Seen { by_resources: 2, ..load(0) }), 2);
        assert_eq!(scaler.turn(at(1), &scale, Seen { by_resources: 9, ..load(0) }), 3);
    }

    #[test]
    fn bounds_that_change_hold_at_once() {
        let mut scaler = Scaler::new(1, at(300));
        assert_eq!(scaler.turn(at(0), &scale(3, 5), load(0)), 3);
        assert_eq!(scaler.turn(at(1), &scale(1, 2), load(0)), 1);
    }

    #[test]
    fn restarts_come_later_and_later() {
        let azure: Vec<u64> = (0..7).map(|nth| back_off(nth, 1.0).as_secs()).collect();
        assert_eq!(azure, [10, 20, 40, 80, 160, 300, 300]);
        assert!(back_off(0, 0.0) >= Duration::from_millis(250));
        assert!(back_off(5, 0.0) > back_off(1, 0.0));
    }
}
