use factum::prelude::*;

#[derive(Id, Clone, Debug, PartialEq)]
struct CartId(String);

#[derive(Event, Clone, Debug)]
enum Cart {
    CouponUsed {
        #[id]
        id: CartId,
        #[tag]
        coupon: String,
    },
}

fn main() {}
