// Package storetest is the acceptance suite of every [breaker.Store].
package storetest
