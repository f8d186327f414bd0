package migrate

import (
	"context"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lanyardctl/lanyardctl/record"
)

// known is what the documents of the target said when the run began, as digests in one flat table. A record that its
// document says exactly then needs no batch: merging it would change nothing. It knows nothing of a document that does not
// fit, and forgets those of which it is in doubt. A nil known knows nothing.
type known struct {
	mu     sync.Mutex
	seed   maphash.Seed
	marked bool   // only a document that carries lanyardctl's mark needs nothing
	slots  []slot // open addressing, by identity and kind
	taken  int
	kinds  record.Kinds // of which documents are known

	// secrets are 40 bits of the [record.HashOfText] of what lets users in, with the tag of its document, also by open
	// addressing; zero is none. What stands in two documents, or would, has to be decided by the sink.
	secrets      []uint64
	secretsTaken int

	left int64 // documents that did not fit
}

// slot is a document: a tag of its identity and kind, which is never zero, and 56 bits that stand for its digest, beside
// what its place tells of its identity. One without them is of a document that is in doubt.
type slot [slotBytes]byte

// newSlot returns the slot of a document with a tag, and with what stands for its digest.
func newSlot(tag, digest uint64) (s slot) {
	binary.LittleEndian.PutUint64(s[:], digest<<(8*tagBytes)|tag)
	binary.LittleEndian.PutUint16(s[8:], uint16(digest>>40))
	return s
}

// tag returns zero for a free slot.
func (s *slot) tag() uint64 { return binary.LittleEndian.Uint64(s[:]) & tagMask }

// inDoubt returns the slot of a document of which nothing is known but that it is there.
func inDoubt(tag uint64) slot { return newSlot(tag, 0) }

const (
	tagBytes    = 3
	tagMask     = 1<<(8*tagBytes) - 1
	slotBytes   = tagBytes + 7
	secretBytes = 8
)

// fill is how much of a table may be taken: above, looking something up takes long, and in a full one it does not end.
func fill(slots int) int { return slots - slots/20 - 1 }

// tableFor returns how many slots a table needs for so many documents, of which an estimate may miss some.
func tableFor(documents int64) int64 { return documents + documents/16 + 64 }

// memoryFor returns how many bytes it takes to know so many documents, of which some let users in.
func memoryFor(documents, admitting int64) int64 {
	if admitting == 0 {
		return slotBytes * tableFor(documents)
	}
	return slotBytes*tableFor(documents) + secretBytes*tableFor(admitting)
}

// newKnown returns an empty table for about so many documents of the kinds, in at most so much memory.
func newKnown(documents [record.KindCount]int64, memory int64) *known {
	k := &known{seed: maphash.MakeSeed()}
	var total, admitting int64
	for kind := range record.Kind(record.KindCount) {
		if n := documents[kind]; n > 0 {
			k.kinds = k.kinds.With(kind)
			total += n
			if kind.Admits() {
				admitting += n
			}
		}
	}
	if admitting > 0 {
		size := tableFor(admitting)
		if memory < memoryFor(total, admitting) {
			size = max(min(size, memory/4/secretBytes), 1)
		}
		k.secrets = make([]uint64, size)
		memory -= secretBytes * size
	}
	k.slots = make([]slot, max(min(tableFor(total), memory/slotBytes), 1))
	return k
}

// place returns where the search for an identity's document begins, and its tag.
func (k *known) place(kind record.Kind, hash uint64) (at int, tag uint64) {
	// Hashes spread identities over their upper bits alone, and one user's documents have the same.
	hash ^= uint64(kind+1) * 0xBF58476D1CE4E5B9
	hash = (hash ^ hash>>32) * 0x94D049BB133111EB
	hash ^= hash >> 29
	first, _ := bits.Mul64(hash, uint64(len(k.slots)))
	return int(first), max(hash&tagMask, 1)
}

// find returns the slot of an identity's document, or a free one.
func (k *known) find(kind record.Kind, hash uint64) (s *slot, tag uint64) {
	at, tag := k.place(kind, hash)
	for {
		s = &k.slots[at]
		if found := s.tag(); found == 0 || found == tag {
			return s, tag
		}
		if at++; at == len(k.slots) {
			at = 0
		}
	}
}

// saying returns the slot of a document that has the digest. A user who makes values up cannot find two that look the
// same in it, since the seed is another in each run.
func (k *known) saying(d record.Digest, tag uint64) slot {
	return newSlot(tag, maphash.Bytes(k.seed, d[:]))
}

// add takes documents in. Of two of one identity, the app and the sink may read either, and one may have come twice
// because it was changed: then it is in doubt what stands there.
func (k *known) add(documents []record.DocumentDigest) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, d := range documents {
		left := k.left
		if d.Secret != 0 && !k.addSecret(d) {
			k.forget(d.Kind)
		}
		if !d.Identified {
			continue
		}
		s, tag := k.find(d.Kind, d.Hash)
		switch {
		case s.tag() != 0:
			*s = inDoubt(tag)
			continue
		case k.taken >= fill(len(k.slots)):
			k.left = left + 1 // once, also where its secret did not fit
			continue
		case d.SaysExactly(d.Digest) && (d.Unmodified || !k.marked):
			*s = k.saying(d.Digest, tag)
		default:
			*s = inDoubt(tag)
		}
		k.taken++
	}
}

// forget makes all documents of a kind ones of which nothing is known.
func (k *known) forget(kind record.Kind) { k.kinds &^= record.Kinds(0).With(kind) }

// addSecret takes a document's secret in. It reports false where another document has it, or there is no room to know.
func (k *known) addSecret(d record.DocumentDigest) bool {
	if k.secretsTaken >= fill(len(k.secrets)) {
		k.left++
		return false
	}
	s, entry := k.secret(d.Kind, d.Hash, d.Secret)
	if *s != 0 {
		return *s == entry
	}
	*s = entry
	k.secretsTaken++
	return true
}

// secret returns where a secret stands, or a free place, and how it stands there for the identity's document.
func (k *known) secret(kind record.Kind, hash, secret uint64) (s *uint64, entry uint64) {
	_, tag := k.place(kind, hash)
	entry = secret&^tagMask | tag
	first, _ := bits.Mul64(secret, uint64(len(k.secrets)))
	for at := int(first); ; at = (at + 1) % len(k.secrets) {
		if s = &k.secrets[at]; *s == 0 || (*s^entry)&^tagMask == 0 {
			return s, entry
		}
	}
}

// unchanged tells which of the records of a page the target holds exactly. From then on it knows nothing of the others'
// documents, which are written: a source may deliver a record again as it was before.
func (k *known) unchanged(items []record.Item) []bool {
	if k == nil {
		return nil
	}
	same := make([]bool, len(items)) // at first, those that may be
	var hashes []uint64
	k.mu.Lock()
	for i, it := range items {
		if it.Record == nil || !k.kinds.Has(it.Kind) {
			continue
		}
		if hashes == nil {
			hashes = make([]uint64, len(items))
		}
		hashes[i] = it.Record.Identity().Hash()
		s, _ := k.find(it.Kind, hashes[i])
		same[i] = s.tag() != 0
	}
	k.mu.Unlock()
	digests := make([]record.Digest, len(items))
	for i, it := range items {
		if same[i] {
			digests[i] = it.Record.Digest()
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, it := range items {
		if same[i] {
			s, tag := k.find(it.Kind, hashes[i])
			if same[i] = *s == k.saying(digests[i], tag); !same[i] {
				*s = inDoubt(tag)
			}
		}
		if it.Record != nil && it.Kind.Admits() && k.kinds.Has(it.Kind) && !same[i] {
			k.passing(it, hashes[i])
		}
	}
	// What lets users in may have been in doubt only after some of its kind were looked at.
	for i, it := range items {
		same[i] = same[i] && k.kinds.Has(it.Kind)
	}
	return same
}

// passing takes note that a record which lets a user in is going to be written. Where what it brings stands in another
// user's document, it may pass from one to the other, and then the documents of both are not what they were.
func (k *known) passing(it record.Item, hash uint64) {
	if s, entry := k.secret(it.Kind, hash, record.HashOfText(it.Record.APIKey)); *s != 0 && *s != entry {
		k.forget(it.Kind)
	}
}

// worthReading is for how many documents a key of the source is worth reading the target: each takes a small part of what
// looking a record up does.
const worthReading = 8

// learn reads what the target holds, and tries again where that was unavailable.
func (j *Job) learn(ctx context.Context) error {
	if j.opts.Target == nil {
		return nil
	}
	defer j.tracker.reading(0)
	return retrying{retry: j.retry}.do(ctx, func() (err error) {
		j.known, err = j.learnOnce(ctx)
		return err
	})
}

// learnOnce returns nil where the target holds nothing, or much more than there is to copy.
func (j *Job) learnOnce(ctx context.Context) (*known, error) {
	var documents [record.KindCount]int64
	var total, admitting int64
	for _, kind := range j.opts.Only.List() {
		if !kind.Identified() {
			continue
		}
		n, err := j.opts.Target.Estimate(ctx, kind)
		if err != nil {
			return nil, err
		}
		documents[kind] = n
		total += n
		if kind.Admits() {
			admitting += n
		}
	}
	if keys := j.tracker.snapshot().Total; total == 0 || keys > 0 && total/worthReading > keys {
		return nil, nil
	}
	j.tracker.phase("reading what the target holds")
	j.tracker.reading(total)
	k, now := newKnown(documents, j.opts.Memory), time.Now()
	k.marked = j.opts.Mirror
	group, ctx := errgroup.WithContext(ctx)
	for _, kind := range k.kinds.List() {
		group.Go(func() error {
			return j.opts.Target.ReadDigests(ctx, kind, now, func(page []record.DocumentDigest) error {
				k.add(page)
				j.tracker.wasRead(len(page))
				return ctx.Err()
			})
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	j.report.Unknown, j.report.MemoryForAll = k.left, memoryFor(max(total, int64(k.taken)+k.left), admitting)
	return k, nil
}

// reading tells how many documents of the target are going to be read, about; zero once they are.
func (t *tracker) reading(documents int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.live.Documents, t.live.Expected = 0, documents
}

func (t *tracker) wasRead(documents int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.live.Documents += int64(documents)
}

// unchanged counts those of a page's records that need no batch.
func (t *tracker) unchanged(pg *page, items []record.Item, same []bool) {
	if same == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, is := range same {
		if !is {
			continue
		}
		counts := &pg.stats.Kinds[items[i].Kind]
		counts.count(record.Unchanged)
		counts.Fields.Rejected += int64(len(items[i].Rejects))
		pg.pending--
		t.live.Records++
	}
}
