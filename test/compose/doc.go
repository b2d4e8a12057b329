// Package compose proves what can be proven of the demonstration in deploy/compose
// and of the Dockerfile where there is no container engine: that all its files fit
// together, and that the same programs with the same configuration and the same
// command lines do together what they are to show.
package compose
