use factum::prelude::*;

#[derive(Id, Clone, Debug, PartialEq)]
struct CartId(String);

#[derive(Event, Clone, Debug)]
enum Cart {
    Opened {
        #[id]
        id: CartId,
    },
}


struct Open;

fn main() {
    let store = Store::memory();
    drop(store.load(Open).run());
}
