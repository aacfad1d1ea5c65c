//! What dies with what: automatic and internal dependencies, by the object that dies.

use super::address::Address;

/// Dependent, what it belongs to, and how: `a` or `i`. Every table has several, so they are kept flat.
#[derive(Debug, Default)]
pub(super) struct Owners(Vec<(Address, Address, char)>);

impl Owners {
    /// Those among all dependencies.
    pub fn among(edges: &[(Address, Address, char)]) -> Self {
        let owning = edges.iter().filter(|(.., kind)| matches!(kind, 'i' | 'a'));
        let mut owning: Vec<_> = owning.copied().collect();
        owning.sort_unstable();
        Self(owning)
    }

    /// What an object belongs to.
    pub fn of(&self, object: Address) -> impl Iterator<Item = (Address, char)> + '_ {
        let first = self.0.partition_point(|(from, ..)| *from < object);
        let all = self.0[first..].iter();
        all.take_while(move |(from, ..)| *from == object)
            .map(|&(_, to, kind)| (to, kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_object_has_its_own_owners() {
        let (a, b, c) = ((1, 1), (1, 2), (2, 1));
        let edges = [
            (c, a, 'a'),
            (b, a, 'i'),
            (b, c, 'n'),
            (c, b, 'i'),
            (a, b, 'n'),
        ];
        let owners = Owners::among(&edges);
        let of = |object| -> Vec<(Address, char)> { owners.of(object).collect() };
        assert_eq!(of(a), []);
        assert_eq!(of(b), [(a, 'i')]);
        assert_eq!(of(c), [(a, 'a'), (b, 'i')]);
        assert_eq!(of((3, 1)), []);
    }
}
