package record

import (
	"context"
	"time"
)

// DocumentDigest is what a document of a target says, without its content.
type DocumentDigest struct {
	Kind Kind

	// Hash is the [HashOf] what stands in place of the user's id: for a document that the app sees, the [Identity.Hash] of
	// the record for which it takes the document.
	Hash uint64

	// Identified tells that the app takes the document for one of its identity, or that its kind needs none.
	Identified bool

	// Numeric is as in [Document], Complete and Mistyped are as in [Content], of whose record Digest is.
	Numeric, Complete, Mistyped bool
	Digest                      Digest

	// Unmodified is as in [Held].
	Unmodified bool

	// Secret is, for a document that lets somebody in, the [HashOfText] of what does; zero where there is nothing.
	Secret uint64
}

// Digest returns what the document says as of now.
func (d Document) Digest(now time.Time) DocumentDigest {
	c := d.Content(now)
	digest := DocumentDigest{
		Kind: d.Kind, Hash: HashOf(d.User, d.Name.String()), Identified: d.Identity() != Identity{} || !d.Kind.Identified(),
		Numeric: d.Numeric, Complete: c.Complete, Mistyped: c.Mistyped, Digest: c.Record.Digest(),
		Unmodified: d.Held.Unmodified,
	}
	if d.Numeric {
		digest.Hash = HashOf(0, d.Name.String())
	}
	if d.Kind.Admits() && d.Held.APIKey != "" {
		digest.Secret = HashOfText(d.Held.APIKey)
	}
	return digest
}

// SaysExactly reports whether the app reads in the document what a record of the digest says, and nothing else, so that
// merging the record would change nothing, whatever the policy. A secret must be in no other document.
func (d DocumentDigest) SaysExactly(digest Digest) bool {
	return d.Kind.Identified() && d.Complete && !d.Mistyped && !d.Numeric && d.Digest == digest
}

// DigestReader reads what a target holds as digests, which takes a fraction of what [TargetReader.Read] does.
type DigestReader interface {
	// ReadDigests delivers the [Document.Digest] of each document that [TargetReader.Read] would deliver, in no order, some
	// at a time. A slice is good until yield returns. It returns yield's error as it is.
	ReadDigests(ctx context.Context, kind Kind, now time.Time, yield func([]DocumentDigest) error) error

	// Estimate returns about how many documents of the kind the target holds, in next to no time.
	Estimate(ctx context.Context, kind Kind) (int64, error)
}

// HashOfText returns a number that depends on the text alone. It is never zero, and no secret: it does not tell the text.
func HashOfText[T string | []byte](text T) uint64 { return max(hashText(text), 1) }

// hashText spreads texts evenly over the upper bits.
func hashText[T string | []byte](text T) uint64 {
	hash := uint64(14695981039346656037) // FNV-1a
	for i := range len(text) {
		hash = (hash ^ uint64(text[i])) * 1099511628211
	}
	// The last bytes of a text reach the lower half alone.
	return (hash ^ hash>>32) * 0x9E3779B97F4A7C15
}
