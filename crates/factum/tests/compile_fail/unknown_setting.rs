use factum::prelude::*;

#[derive(Id, Clone, Debug, PartialEq)]
struct CartId(String);

#[derive(Event, Clone, Debug)]
enum Cart {
    #[event(rename = "CartBegun")]
    Opened {
        #[id]
        id: CartId,
    },
    #[event(newer = ignore)]
    Closed {
        #[id]
        id: CartId,
    },
    #[event(allow(personal))]
    Named {
        name: String,
    },
}

fn main() {}
