//! Which leg waits for which.

/// An order in which every leg comes after those it waits for, or a circle of legs that wait for
/// each other, the first of them at both ends. `after` holds, for each leg, those it waits for.
///
/// Depth first, as in Tarjan, "Edge-disjoint spanning trees and depth-first search" (1976).
///
/// # Errors
/// There is a circle.
pub fn order(after: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut walk = Walk {
        after,
        marks: vec![Mark::New; after.len()],
        path: Vec::new(),
        order: Vec::with_capacity(after.len()),
    };
    for leg in 0..after.len() {
        walk.visit(leg)?;
    }
    Ok(walk.order)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    OnPath,
    Done,
}

struct Walk<'a> {
    after: &'a [Vec<usize>],
    marks: Vec<Mark>,
    path: Vec<usize>,
    order: Vec<usize>,
}

impl Walk<'_> {
    fn visit(&mut self, leg: usize) -> Result<(), Vec<usize>> {
        match self.marks.get(leg) {
            None | Some(Mark::Done) => return Ok(()),
            Some(Mark::OnPath) => {
                let begin = self.path.iter().position(|other| *other == leg);
                let mut circle = self.path.split_off(begin.unwrap_or_default());
                circle.push(leg);
                return Err(circle);
            }
            Some(Mark::New) => {}
        }
        self.mark(leg, Mark::OnPath);
        self.path.push(leg);
        for other in self.after.get(leg).into_iter().flatten() {
            self.visit(*other)?;
        }
        self.path.pop();
        self.mark(leg, Mark::Done);
        self.order.push(leg);
        Ok(())
    }

    fn mark(&mut self, leg: usize, mark: Mark) {
        if let Some(place) = self.marks.get_mut(leg) {
            *place = mark;
        }
    }
}
