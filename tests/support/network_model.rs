//! Networks and crystals as models: what a clock probe meets on its way, from a seed.
//!
//! One-way delay = floor + Exp(10 µs) + the network's law. Order is kept, and a lost segment shows
//! as a late one. All time is true time in ns, which is the server's clock.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::f64::consts::TAU;

const US: f64 = 1e3;
const MS: f64 = 1e6;
const SECOND: f64 = 1e9;

/// Draws from a seed (SplitMix64; Steele, Lea, Flood, 2014).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Between two numbers.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * ((self.bits() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    pub fn happens(&mut self, probability: f64) -> bool {
        self.uniform(0.0, 1.0) < probability
    }

    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.uniform(0.0, 1.0).ln()
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform(0.0, 1.0).ln()).sqrt();
        radius * (TAU * self.uniform(0.0, 1.0)).cos()
    }

    fn lomax(&mut self, shape: f64, scale: f64) -> f64 {
        scale * (self.uniform(0.0, 1.0).powf(-1.0 / shape) - 1.0)
    }
}

/// Which network lies between a client and its server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Network {
    /// A cable.
    Lan,
    /// Radio with bursts of interference.
    WiFi,
    /// A country's length.
    Wan,
    /// 4G whose buffers fill.
    Mobile,
}

/// A direction of travel.
#[derive(Clone, Copy, PartialEq)]
pub enum Way {
    Up,
    Down,
}

impl Network {
    /// The least time one way takes, in ns.
    pub fn floor(self) -> f64 {
        match self {
            Network::Lan => 0.1 * MS,
            Network::WiFi => MS,
            Network::Wan => 19.0 * MS,
            Network::Mobile => 36.0 * MS,
        }
    }

    /// The share of the time that is bad, and how long a bad period lasts in the mean.
    fn bad_periods(self) -> Option<(f64, f64)> {
        match self {
            Network::WiFi => Some((0.05, 0.8 * SECOND)),
            Network::Mobile => Some((0.25, 20.0 * SECOND)),
            Network::Lan | Network::Wan => None,
        }
    }

    /// How likely a segment is lost, and how much later it then comes.
    fn loss(self) -> (f64, f64) {
        match self {
            Network::Lan => (0.0, 0.0),
            Network::WiFi => (0.003, 200.0 * MS),
            Network::Wan => (0.002, 250.0 * MS),
            Network::Mobile => (0.005, 300.0 * MS),
        }
    }

    fn law(self, dice: &mut Dice, way: Way) -> f64 {
        match (self, way) {
            (Network::Lan, _) => {
                let rare = if dice.happens(0.005) { dice.exponential(MS) } else { 0.0 };
                dice.exponential(25.0 * US) + dice.exponential(25.0 * US) + rare
            }
            // Gamma(1.5) is an exponential and half of a squared normal.
            (Network::WiFi, _) => 0.33 * MS * (dice.exponential(1.0) + 0.5 * dice.normal().powi(2)),
            (Network::Wan, _) => dice.lomax(2.5, 1.5 * MS).min(150.0 * MS),
            (Network::Mobile, Way::Up) => dice.uniform(0.0, 8.0 * MS) + dice.exponential(MS),
            (Network::Mobile, Way::Down) => dice.uniform(0.0, 4.0 * MS) + dice.exponential(MS),
        }
    }

    /// What a bad period that began `since` ns ago adds.
    fn bad_law(self, dice: &mut Dice, way: Way, since: f64) -> f64 {
        match (self, way) {
            (Network::WiFi, Way::Up) => dice.exponential(20.0 * MS).min(60.0 * MS),
            (Network::WiFi, Way::Down) => dice.exponential(10.0 * MS).min(40.0 * MS),
            (Network::Mobile, Way::Up) => {
                300.0 * MS * (1.0 - (-since / (3.0 * SECOND)).exp()) * dice.uniform(0.7, 1.0)
            }
            (Network::Mobile, Way::Down) => dice.exponential(10.0 * MS),
            (Network::Lan | Network::Wan, _) => 0.0,
        }
    }
}

/// One connection over a network.
pub struct Path {
    network: Network,
    dice: Dice,
    /// More floor on the way up, in ns.
    skewed_floor: f64,
    /// From when on the floors change, and by how much each way, in ns.
    rerouted: Option<(f64, [f64; 2])>,
    /// When the current period began and ends, and whether it is bad.
    period: (f64, f64, bool),
    /// The last arrival each way.
    last: [f64; 2],
}

impl Path {
    /// A connection whose way up has a floor longer by so many ns.
    pub fn new(network: Network, seed: u64, skewed_floor: f64) -> Path {
        Path {
            network,
            dice: Dice::new(seed),
            skewed_floor,
            rerouted: None,
            period: (0.0, 0.0, true),
            last: [0.0; 2],
        }
    }

    /// From a time on, the packets take another route: the floors change by so many ns up and down.
    pub fn reroute(&mut self, from: i64, up: f64, down: f64) {
        self.rerouted = Some((from as f64, [up, down]));
    }

    /// When what leaves now arrives. Calls each way go forward in time.
    pub fn arrival(&mut self, way: Way, leaves: i64) -> i64 {
        let leaves = leaves as f64;
        let mut delay = self.network.floor() + self.dice.exponential(10.0 * US);
        if way == Way::Up {
            delay += self.skewed_floor;
        }
        if let Some((_, floors)) = self.rerouted.filter(|(from, _)| leaves >= *from) {
            delay += floors[usize::from(way == Way::Down)];
        }
        delay += self.network.law(&mut self.dice, way);
        if let Some(since) = self.bad_since(leaves) {
            delay += self.network.bad_law(&mut self.dice, way, since);
        }
        let (lost, late) = self.network.loss();
        if self.dice.happens(lost) {
            delay += late;
        }
        let last = &mut self.last[usize::from(way == Way::Down)];
        *last = last.max(leaves + delay);
        *last as i64
    }

    /// How long a bad period has lasted, if there is one.
    fn bad_since(&mut self, now: f64) -> Option<f64> {
        let (share, mean_bad) = self.network.bad_periods()?;
        while now >= self.period.1 {
            let bad = !self.period.2;
            let mean = if bad { mean_bad } else { mean_bad * (1.0 - share) / share };
            self.period = (self.period.1, self.period.1 + self.dice.exponential(mean), bad);
        }
        self.period.2.then_some(now - self.period.0)
    }
}

/// How a client's crystal strays: skew U(±50 ppm), a random walk of 0.02 ppm/√s, and a thermal sine
/// of 900 s.
pub struct Crystal {
    /// Host − true time at each grid point, in ns.
    strayed: Vec<f64>,
    epoch: i64,
    /// When its machine falls asleep, and for how long: the raw clock stands still meanwhile.
    sleep: Option<(i64, i64)>,
    /// When all of its machine's clocks stand still together, and for how long, told by none.
    frozen: Option<(i64, i64)>,
    /// When the raw clock is set and by how much, in ns.
    raw_steps: Vec<(i64, i64)>,
    /// The same of the clock beside it.
    beside_steps: Vec<(i64, i64)>,
    /// From when on the clock beside it is slewed by so many ppm.
    slews: Vec<(i64, f64)>,
}

/// The grid on which a crystal's rate changes: 100 ms.
const GRID: i64 = 100_000_000;

impl Crystal {
    /// A crystal for so many seconds, with a thermal sine of so many ppm.
    pub fn new(seed: u64, seconds: u32, thermal_ppm: f64) -> Crystal {
        let mut dice = Dice::new(seed);
        let epoch = dice.uniform(-1e15, 1e15) as i64;
        let skew = dice.uniform(-50e-6, 50e-6);
        let phase = dice.uniform(0.0, TAU);
        let step = GRID as f64 / SECOND;
        let (mut walk, mut strayed) = (0.0, vec![0.0]);
        for point in 0..i64::from(seconds) * (1_000_000_000 / GRID) + 20 {
            walk += 0.02e-6 * step.sqrt() * dice.normal();
            let thermal = thermal_ppm * 1e-6 * (TAU * point as f64 * step / 900.0 + phase).sin();
            strayed.push(strayed[point as usize] + (skew + walk + thermal) * GRID as f64);
        }
        Crystal::of(strayed, epoch)
    }

    /// A crystal that runs so many ppm fast and strays no further.
    pub fn steady(ppm: f64, seconds: u32) -> Crystal {
        let points = i64::from(seconds) * (1_000_000_000 / GRID) + 20;
        let strayed = (0..=points).map(|point| point as f64 * ppm * 1e-6 * GRID as f64).collect();
        Crystal::of(strayed, 0)
    }

    fn of(strayed: Vec<f64>, epoch: i64) -> Crystal {
        let (raw_steps, beside_steps, slews) = (Vec::new(), Vec::new(), Vec::new());
        Crystal { strayed, epoch, sleep: None, frozen: None, raw_steps, beside_steps, slews }
    }

    /// Sets the raw clock at a true time, by so many ns.
    pub fn set(&mut self, at: i64, by: i64) {
        self.raw_steps.push((at, by));
    }

    /// Sets the clock beside it.
    pub fn set_beside(&mut self, at: i64, by: i64) {
        self.beside_steps.push((at, by));
    }

    /// Slews the clock beside it by so many ppm from a true time on, later than those before.
    pub fn slew(&mut self, from: i64, ppm: f64) {
        self.slews.push((from, ppm));
    }

    /// Lets all clocks of its machine stand still from a true time on, for so many ns.
    pub fn freeze(&mut self, from: i64, ns: i64) {
        self.frozen = Some((from, ns));
    }

    /// What the clock beside the raw one reads at a true time, in ns: the same crystal, slewed.
    pub fn beside(&self, now: i64) -> i64 {
        let untils = self.slews.iter().skip(1).map(|(from, _)| *from).chain([i64::MAX]);
        let slewed = self
            .slews
            .iter()
            .zip(untils)
            .map(|((from, ppm), until)| (now.min(until) - from).max(0) as f64 * ppm * 1e-6);
        self.unset(now) + self.slept(now) + slewed.sum::<f64>() as i64 + sum_by(&self.beside_steps, now)
    }

    /// Lets its machine sleep from a true time on, for so many ns.
    pub fn sleep(&mut self, from: i64, ns: i64) {
        self.sleep = Some((from, ns));
    }

    /// How long the machine has slept by a true time, in ns.
    pub fn slept(&self, now: i64) -> i64 {
        self.sleep.map_or(0, |(from, ns)| (now - from).clamp(0, ns))
    }

    /// When the machine is next awake.
    pub fn awake(&self, now: i64) -> i64 {
        match self.sleep {
            Some((from, ns)) if (from..from + ns).contains(&now) => from + ns,
            _ => now,
        }
    }

    /// Host time at a true time, in ns.
    pub fn host(&self, now: i64) -> i64 {
        self.unset(now) + sum_by(&self.raw_steps, now)
    }

    fn unset(&self, now: i64) -> i64 {
        let (point, rest) = ((now / GRID) as usize, (now % GRID) as f64 / GRID as f64);
        let strayed = self.strayed[point] + (self.strayed[point + 1] - self.strayed[point]) * rest;
        let frozen = self.frozen.map_or(0, |(from, ns)| (now - from).clamp(0, ns));
        now + self.epoch + strayed.round() as i64 - self.slept(now) - frozen
    }
}

/// What the steps up to a time add up to.
fn sum_by(steps: &[(i64, i64)], now: i64) -> i64 {
    steps.iter().filter(|(at, _)| *at <= now).map(|(_, by)| by).sum()
}
