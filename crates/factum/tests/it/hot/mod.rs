//! Hot aggregates: queues and shards, alone and against everybody else.

mod answers;
mod faults;
mod faulty;
mod limits;
mod random;
mod shape;
mod shards;
mod shelf;
mod snapshots;
