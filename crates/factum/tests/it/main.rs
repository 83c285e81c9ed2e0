//! The SDK as a program uses it, over memory and over the log.

// What is not so fails the test, and `unwrap` says where.
#![allow(clippy::unwrap_used)]

mod boundary;
mod context;
mod decide;
mod decide_many;
mod domain;
mod evolution;
mod executor;
mod flows;
mod homes;
mod hot;
mod moments;
mod past;
mod patience;
mod properties;
mod readable;
mod rejections;
mod repository;
mod uniqueness;
