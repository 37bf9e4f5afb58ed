//! Points of the curve y^2 = x^3 - 3 x + b (SP 800-186, 3.2.1.3).
//!
//! Formulas: Bernstein and Lange, "Explicit-Formulas Database", short Weierstrass curves, XYZZ
//! coordinates: "madd-2008-s" and "dbl-2008-s-1". With them an addition of an affine point takes ten
//! products, one less than with Jacobian coordinates, and a doubling nine, one more; and the sums
//! made here have several times as many additions as doublings.
//!
//! Bounds of the values, in p, as the bounds of [`field`]'s products make them: a table's entries
//! and inverses are in (-0.2, 1.2), a y with its sign changed in (-1.2, 0.2). The chord of two
//! entries has x in (-2.4, 1.5) and y in (-1.4, 2.4). From there on a sum's X stays in (-3.8, 2.0), Y
//! in (-1.4, 2.4), ZZ and ZZZ in (-0.1, 1.1). In an addition, P and R are then at most 5.0 and 2.6
//! in size, PP is in (0, 1.9), PPP and Q are in (-0.3, 1.3); of its products, R (Q - X) - Y PPP is the
//! largest before its reduction: 2.6 * 5.1 + 2.4 * 1.3 < 17. In a doubling it is 3 (X + ZZ) (X - ZZ):
//! 3 * 3.9 * 4.9 < 58. Multiplied limbs are carried but for differences of two carried elements,
//! which are below 2^29 in size too, and at most 2^30 where a y had its sign changed.

use super::field::{self, Element, ONE, ZERO};

/// A point other than infinity: x, y.
#[derive(Clone, Copy, Debug)]
pub struct Affine {
    pub x: Element,
    pub y: Element,
}

/// x = X/ZZ, y = Y/ZZZ with ZZ^3 = ZZZ^2. ZZ = 0 if something went into an addition that its
/// formula does not do.
#[derive(Clone, Copy, Debug)]
pub struct Extended {
    pub x: Element,
    pub y: Element,
    pub zz: Element,
    pub zzz: Element,
}

/// The curve's b.
const B: Element = Element([
    0x1897bbfb, 0x1cdf6229, 0x018486c4, 0x01732821, 0x1dad59e0, 0x0abf7212, 0x1a06d110, 0x17721d20,
    0x008600c3,
]);
/// The base point G.
pub const BASE: Affine = Affine {
    x: Element([
        0x15228783, 0x0730d418, 0x0db00bcf, 0x057f11fb, 0x0a20eb75, 0x12b77622, 0x0330fdb9,
        0x1af4dd57, 0x00120bee,
    ]),
    y: Element([
        0x12aac150, 0x125357ce, 0x0f22e6ef, 0x0e390e86, 0x064b1695, 0x088dd21f, 0x02a97443,
        0x02962176, 0x00ae3fe3,
    ]),
};

impl Affine {
    /// A point of the curve, if x and y are one's.
    pub fn new(x: Element, y: Element) -> Option<Self> {
        // x (x^2 - 3) + b - y^2
        let three = field::sum(&ONE, &field::sum(&ONE, &ONE));
        let right = field::product(&x, &field::square_less(&x, &three, &ZERO));
        let left = field::square_less(&y, &B, &ZERO);
        let is_on_curve = field::difference(&right, &left).is_zero();
        is_on_curve.then_some(Self { x, y })
    }

    pub fn negative(&self) -> Self {
        let y = field::difference(&ZERO, &self.y);
        Self { x: self.x, y }
    }

    /// self.x - other.x
    pub fn distance_from(&self, other: &Self) -> Element {
        field::difference(&self.x, &other.x)
    }

    /// Brings the values into (-0.2 p, 1.2 p): those of sums of sums would grow.
    pub fn settle(&mut self) {
        self.x.multiply_by(&ONE);
        self.y.multiply_by(&ONE);
    }

    /// Becomes the sum of two points, by chord: `distance` is b.x - a.x, and `inverse` 1/distance.
    #[inline(always)]
    pub fn set_sum(&mut self, a: &Self, b: &Self, distance: &Element, inverse: &Element) {
        let slope = field::product(inverse, &field::difference(&b.y, &a.y));
        // slope^2 - a.x - b.x
        self.x.set_square_less(&slope, distance, &a.x);
        self.y.set_product_less(&slope, &a.x, &self.x, &a.y);
    }
}

impl Extended {
    pub fn new(point: &Affine) -> Self {
        let Affine { x, y } = *point;
        let (zz, zzz) = (ONE, ONE);
        Self { x, y, zz, zzz }
    }

    /// Doubles the point. None has order two, so it never becomes infinity; and ZZ = 0 stays.
    pub fn double(&mut self) {
        let u = field::carried(&field::sum(&self.y, &self.y));
        let v = field::square(&u);
        let w = field::product(&u, &v);
        let s = field::product(&self.x, &v);
        // 3 x^2 - 3 zz^2
        let above = field::carried(&field::sum(&self.x, &self.zz));
        let below = field::carried(&field::difference(&self.x, &self.zz));
        let m = field::thrice_product(&above, &below);
        self.x.set_square_less(&m, &ZERO, &s);
        self.y.subtract_from_product(&m, &s, &self.x, &w);
        self.zz.multiply_by(&v);
        self.zzz.multiply_by(&w);
    }

    /// Adds another point. If the two have the same x, or ZZ is 0, then ZZ becomes 0.
    pub fn add(&mut self, other: &Affine) {
        let p = self.difference_of_x(other);
        let r = self.difference_of_y(other);
        let pp = field::square(&p);
        let ppp = field::product(&p, &pp);
        let q = field::product(&self.x, &pp);
        self.x.set_square_less(&r, &ppp, &q);
        self.y.subtract_from_product(&r, &q, &self.x, &ppp);
        self.zz.multiply_by(&pp);
        self.zzz.multiply_by(&ppp);
    }

    /// The sum of any two points; none is infinity.
    pub fn complete_sum(a: Option<Self>, b: &Affine) -> Option<Self> {
        let Some(mut sum) = a else {
            return Some(Self::new(b));
        };
        if !sum.difference_of_x(b).is_zero() {
            sum.add(b);
        } else if sum.difference_of_y(b).is_zero() {
            sum.double();
        } else {
            return None;
        }
        Some(sum)
    }

    /// Whether x is this one.
    pub fn has_x(&self, x: &Element) -> bool {
        field::product_less(x, &self.zz, &self.x).is_zero()
    }

    /// Whether y is this one.
    #[cfg(test)]
    pub fn has_y(&self, y: &Element) -> bool {
        field::product_less(y, &self.zzz, &self.y).is_zero()
    }

    /// 0 if this one's x is the same as the other's
    fn difference_of_x(&self, other: &Affine) -> Element {
        field::product_less(&other.x, &self.zz, &self.x)
    }

    /// 0 if this one's y is the same as the other's
    fn difference_of_y(&self, other: &Affine) -> Element {
        field::product_less(&other.y, &self.zzz, &self.y)
    }
}

/// Makes `inverses` those of `elements`, at the price of one inversion and three products each
/// (Montgomery, "Speeding the Pollard and elliptic curve methods of factorization", 1987, 10.3.1).
/// None if one of them is 0.
pub fn invert_all(elements: &[Element], inverses: &mut [Element]) -> Option<()> {
    // The product of all before
    let mut product = &ONE;
    let mut last = &ONE;
    for (element, before) in elements.iter().zip(inverses.iter_mut()) {
        before.set_product(product, last);
        (product, last) = (before, element);
    }
    let mut inverse = field::product(product, last).inverse()?;
    for (element, before) in elements.iter().zip(inverses).rev() {
        before.multiply_by(&inverse);
        inverse.multiply_by(element);
    }
    Some(())
}

/// The same points with ZZ = 1; none if one has ZZ = 0.
pub fn to_affine(points: &[Extended]) -> Option<Vec<Affine>> {
    let elements: Vec<Element> = points.iter().map(|point| point.zzz).collect();
    let mut inverses = vec![ZERO; points.len()];
    invert_all(&elements, &mut inverses)?;
    let affine = |(point, inverse): (&Extended, &Element)| {
        // With ZZ = Z^2 and ZZZ = Z^3: ZZ/ZZZ = 1/Z.
        let by_z = field::product(&point.zz, inverse);
        Affine {
            x: field::product(&point.x, &field::square(&by_z)),
            y: field::product(&point.y, inverse),
        }
    };
    Some(points.iter().zip(&inverses).map(affine).collect())
}
