// Package sweep recovers every user's earliest monitoring date, and can take it back.
//
// # Words
//
//   - A place is somewhere a date may stand, such as the field since of the collection users. What stands there is a
//     candidate where it is a plausible date.
//   - The winner is a user's earliest candidate, or the place that it stands at.
//   - A change is what a sweep does to one user's documents in one collection. It consists of steps, one a document, and
//     is journalled before the first of them is made.
//   - A user is left where a change would be right, but cannot be made.
//
// # How it works
//
// Every source is read once, as a stream. What bears on dates becomes entries of a few bytes, which are sorted by user in
// bounded memory, with sorted runs in a temporary file. Then the entries are walked user by user; where something is to
// change, the documents are read whole, the change is decided again on what they hold now, journalled, and made, a chunk
// of users at a time.
package sweep
