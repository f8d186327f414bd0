// Package yardstick does plainly what lanyardctl does with care: it reads a Redis, loads documents, reads them back, and
// nothing else. How long that takes on the same servers is what the bench compares lanyardctl with.
//
// It also fills the Redis, with the data of an ordinary install.
package yardstick
