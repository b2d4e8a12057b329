// Package flood asks a gateway for things without having a right to, at a rate
// that is kept, and looks at what that costs it and others. The flood runs in a
// process of its own, [Main], so that what it needs is not mistaken for the
// gateway's.
package flood
