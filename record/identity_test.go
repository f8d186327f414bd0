package record_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	. "github.com/lanyardctl/lanyardctl/record"
)

func TestAnIdentityIsAUserOrAName(t *testing.T) {
	for text, want := range map[string]Identity{
		"94490510688792576":                  {User: user},
		"":                                   {},
		"row 7":                              {Name: NameOf("row 7")},
		"0":                                  {Name: NameOf("0")},
		"094490510688792576":                 {Name: NameOf("094490510688792576")},
		strings.Repeat("1", 21):              {Name: NameOf(strings.Repeat("1", 21))},
		"94490510688792576/meeting":          {Name: NameOf("94490510688792576/meeting")},
		"\xff not even text, but kept as is": {Name: NameOf("\xff not even text, but kept as is")},
	} {
		if id := ParseIdentity(text); id != want || id.String() != text {
			t.Errorf("%q is read as %q", text, id)
		}
	}
}

// genIdentity generates few identities, so that the same comes again.
func genIdentity() *rapid.Generator[Identity] {
	return rapid.Custom(func(t *rapid.T) Identity {
		return ParseIdentity(rapid.SampledFrom([]string{"", "1", "2", "a", "b", "1/a", "\x00\x00\x00\x00\x00\x00\x00\x01"}).Draw(t, "identity"))
	})
}

func TestIdentitiesAreEqualWhereHashAndDigestAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := Kind(rapid.IntRange(0, int(Remember)-1).Draw(t, "kind"))
		r := genRecord(kind).Draw(t, "record")
		a, b := genIdentity().Draw(t, "a"), genIdentity().Draw(t, "b")
		of := func(id Identity) Record {
			r := r
			r.User, r.Name = id.User, id.Name
			return r
		}
		if same := of(a).Digest() == of(b).Digest(); same != (a == b) {
			t.Errorf("%q and %q: the same digest: %t", a, b, same)
		}
		if same := a.Hash() == b.Hash(); same != (a == b) {
			t.Errorf("%q and %q: the same hash: %t", a, b, same)
		}
		if of(a).Identity() != a || (Item{Kind: kind, Record: &r}).Identity() != r.Identity() {
			t.Errorf("%q is read back as %q", a, of(a).Identity())
		}
		for _, line := range of(a).Rejects(TooDeep, "") {
			if it := (Item{Kind: kind, Rejects: []Reject{line}}); it.Identity() != a {
				t.Errorf("a line of %q is one of %q", a, it.Identity())
			}
		}
	})
}

// TestNamesSpreadOverTheBuckets holds names of one form to what chance would give: 60,000 of them fill some 39,300 of 65,536.
func TestNamesSpreadOverTheBuckets(t *testing.T) {
	for _, form := range []string{"row-%05d", "k%d", "%08x", "%d-of-a-table"} {
		buckets := make(map[uint64]bool)
		for i := range 60_000 {
			buckets[HashOf(0, fmt.Sprintf(form, i))>>48] = true
		}
		if len(buckets) < 35_000 {
			t.Errorf("%s: %d buckets", form, len(buckets))
		}
	}
}

// TestANameIsEncodedApartFromUsers has a name whose length and text are the bytes of a user's id.
func TestANameIsEncodedApartFromUsers(t *testing.T) {
	user := Record{Kind: KV, User: UserID(binary.BigEndian.Uint64([]byte("\x07abcdefg")))}
	named := Record{Kind: KV, Name: NameOf("abcdefg")}
	if user.Digest() == named.Digest() {
		t.Error("a name has the digest of a user")
	}
}

// TestNamesCostNothingWhereThereAreNone holds the size of what batches and items are made of, which was 112 bytes before
// there were names.
func TestNamesCostNothingWhereThereAreNone(t *testing.T) {
	if size := unsafe.Sizeof(Record{}); unsafe.Sizeof(uintptr(0)) == 8 && size > 96 {
		t.Errorf("a record takes %d bytes", size)
	}
	if size := unsafe.Sizeof(Identity{}); size > 16 {
		t.Errorf("an identity takes %d bytes", size)
	}
	r := Record{Kind: LastSeen, User: user, Time: 1700000000000}
	if n := testing.AllocsPerRun(100, func() { r.Digest(); r.Identity().Hash() }); n > 0 {
		t.Errorf("%v allocations for a digest and a hash", n)
	}
}

func TestATargetOfUsersAloneRejectsNames(t *testing.T) {
	r := Record{Kind: KV, Name: NameOf("row"), Fields: map[string]Field{"a": {Value: "x", Origin: Origin{Key: "table/row", Raw: "x"}}}}
	it := Limits{}.Apply(Item{Kind: KV, Record: &r})
	if it.Record != nil || len(it.Rejects) != 1 || it.Rejects[0].Reason != RefusedByTarget || it.Rejects[0].Field != "a" {
		t.Errorf("%+v", it)
	}
	if it := (Limits{Named: true}).Apply(Item{Kind: KV, Record: &r}); it.Record == nil || len(it.Rejects) > 0 {
		t.Errorf("%+v", it)
	}
}
