// Package storetest helps to test what shares tokens: [Run] is the acceptance
// suite of every [tokencache.Store], and [Memory] is a store for the tests of
// those who use one, with replicas that can be cut off.
package storetest
