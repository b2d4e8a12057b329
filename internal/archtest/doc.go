// Package archtest keeps the architecture as a test: which package may import
// which, and where the heavy libraries may appear. It has no other code.
package archtest
