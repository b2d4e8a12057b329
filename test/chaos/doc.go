// Package chaos disturbs a fleet of gateways by a random, repeatable schedule
// while callers write through it, and judges what became of every single write.
//
// Plan, verdict and judgement are pure; the tests run them against real
// processes, a real Redis and the simulated provider.
package chaos
