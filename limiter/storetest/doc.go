// Package storetest is the acceptance suite of every limiter.Store: [Run]
// checks it against the contract of limiter.Ask and limiter.Answer, with
// replicas and an upstream of its own that are as simple as the contract
// allows.
package storetest
