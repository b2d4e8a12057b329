// Package redistest starts real Redis servers for tests: one alone
// ([Single]), a master with two replicas watched by three sentinels
// ([Sentinel]), a cluster of three masters ([Cluster]); [Each] runs a test
// against all of them.
//
// Everything listens on 127.0.0.1, keeps nothing on disk but its log and ends
// with the test, even with a test that is killed. Redis 7.0 or newer is
// needed; a machine without it fails the test and says what to install.
//
// Functions that take a testing.TB must run on the test's goroutine. The
// methods of [Server] that take none (Stop, Kill, Start, Freeze, Thaw, …) may
// run on any: they report to the test that started the server.
package redistest
