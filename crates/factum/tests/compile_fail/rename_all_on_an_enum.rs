use factum::prelude::*;

#[derive(Id, Clone, Debug, PartialEq)]
struct CartId(String);

#[derive(Event, Clone, Debug)]
#[serde(rename_all = "camelCase")]
enum Cart {
    Opened {
        #[id]
        cart_id: CartId,
    },
}

fn main() {}
