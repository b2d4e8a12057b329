// Package supply tells what a release of the gateway is made of: the modules
// that are linked into it, and their licences, as a CycloneDX document. Its
// tests look at how a release is built, signed and checked for what is known to
// be vulnerable.
package supply
