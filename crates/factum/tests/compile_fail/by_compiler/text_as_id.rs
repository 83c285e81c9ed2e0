use factum::prelude::*;

#[derive(Event, Clone, Debug)]
enum Cart {
    Opened {
        #[id]
        id: String,
    },
}

fn main() {}
