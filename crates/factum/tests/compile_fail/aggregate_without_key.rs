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

#[derive(Aggregate, Clone, Debug)]
#[folds(Cart)]
struct Open {
    id: CartId,
    is_open: bool,
}

impl Evolve<Cart> for Open {
    fn evolve(&mut self, _: &Cart) {
        self.is_open = true;
    }
}

fn main() {}
