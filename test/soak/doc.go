// Package soak sends a great many requests of every kind through one gateway and
// wants it to hold no more afterwards than before.
package soak
