use proptest::prelude::*;

use super::fake::{get, plan};
use crate::{Body, Plan, graph};

#[test]
fn a_circle_is_found() {
    assert_eq!(
        graph::order(&[vec![1], vec![2], vec![0]]),
        Err(vec![0, 1, 2, 0])
    );
    assert_eq!(graph::order(&[vec![], vec![1]]), Err(vec![1, 1]));
    assert_eq!(
        graph::order(&[vec![1, 2], vec![2], vec![]]),
        Ok(vec![2, 1, 0])
    );
    let legs = vec![get("a", "/").after(&[1]), get("b", "/").after(&[0])];
    let circular = Plan::new(legs, Body::all(["a", "b"].into_iter()), 1);
    assert_eq!(circular.err(), Some(vec![0, 1, 0]));
}

#[test]
fn stages_are_as_early_as_can_be() {
    let legs = vec![
        get("a", "/").after(&[1, 3]),
        get("b", "/"),
        get("c", "/").after(&[0]),
        get("d", "/").after(&[1]),
    ];
    assert_eq!(
        plan(legs, None).stages(),
        [vec![1], vec![3], vec![0], vec![2]]
    );
}

proptest! {
    #[test]
    fn an_order_or_a_real_circle(after in prop::collection::vec(prop::collection::vec(0usize..7, 0..3), 7)) {
        match graph::order(&after) {
            Ok(order) => {
                prop_assert_eq!(order.len(), after.len());
                for (place, leg) in order.iter().enumerate() {
                    for other in &after[*leg] {
                        prop_assert!(order[..place].contains(other));
                    }
                }
            }
            Err(circle) => {
                prop_assert!(circle.len() > 1);
                prop_assert_eq!(circle.first(), circle.last());
                for pair in circle.windows(2) {
                    prop_assert!(after[pair[0]].contains(&pair[1]));
                }
            }
        }
    }
}
