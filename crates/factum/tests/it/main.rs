//! The SDK as a program uses it, over memory and over the log.

mod decide_many;
mod hot;
mod rejections;
mod uniqueness;
mod walk;
