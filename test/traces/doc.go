// Package traces receives the spans of gateways and tells whether they say what
// happened: as trees in golden files, in numbers that agree with all else that
// counts, whatever becomes of those who listen, and without a secret.
package traces
