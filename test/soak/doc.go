// Package soak sends a great many requests of every kind through a gateway and
// wants it to hold no more afterwards than before: one gateway by itself, and one
// with a Redis.
package soak
