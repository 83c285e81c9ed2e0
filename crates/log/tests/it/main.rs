//! The log's tests from outside, in one program.

mod contract;
