// Package rig runs what the tests of this module disturb: gateway processes, and
// links whose traffic can be cut, stalled, slowed and narrowed. Everything
// listens on loopback.
//
// The module is apart from the product's so that the libraries of its tests are
// no dependency of the product.
package rig
