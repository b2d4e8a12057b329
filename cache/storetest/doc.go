// Package storetest has the acceptance suites of every cache.Tier and
// cache.Log, [RunTier] and [RunLog], and the simplest implementations that pass
// them: [Tier] and [Log] are in memory, and a test can make them fail.
package storetest
