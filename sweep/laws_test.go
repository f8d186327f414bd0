package sweep_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/store/storetest/dated"
	"github.com/lanyardctl/lanyardctl/sweep"
)

// dateList are a source of dates in memory. It repeats some of them.
type dateList struct {
	places []record.DatePlace
	list   []record.DateValue
	page   int
}

func (c *dateList) Places() []record.DatePlace { return c.places }

func (c *dateList) Total(context.Context) (int64, error) { return int64(len(c.list)), nil }

func (c *dateList) Values(_ context.Context, yield func([]record.DateValue) error) error {
	for page := range slices.Chunk(slices.Concat(c.list, c.list[:len(c.list)/3]), c.page) {
		if err := yield(page); err != nil {
			return err
		}
	}
	return nil
}

// otherSources makes up sources of dates for some of the users.
func otherSources(w *dated.World, r *rand.Rand) []record.DateSource {
	var users []record.UserID
	for user := range w.Users {
		users = append(users, user)
	}
	slices.Sort(users)
	var sources []record.DateSource
	for i := range 3 {
		c := &dateList{places: []record.DatePlace{{Name: fmt.Sprintf("source %d", i)}, {Name: fmt.Sprintf("own %d", i), UserWritable: true}}, page: 1 + r.IntN(7)}
		for range 2 * len(users) {
			// The dates are few, so that some are the same.
			c.list = append(c.list, record.DateValue{
				Place: r.IntN(2), User: users[r.IntN(len(users))], Has: r.IntN(9) > 0, Value: int64(1650000000 + 86400*100*r.IntN(15)),
			})
		}
		c.list = append(c.list, record.DateValue{Place: 1, Name: "nobody", Has: true, Value: int64(1650000000)},
			record.DateValue{User: users[0], Reason: record.WrongType, Detail: "the key holds a list"})
		sources = append(sources, c)
	}
	return sources
}

// TestOrderAndPartsChangeNothing sweeps the same data in different orders, with the entries in any number of sorted runs
// and the users in pieces of any size.
func TestOrderAndPartsChangeNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		users := rapid.IntRange(1, 60).Draw(rt, "users")
		policy := rapid.SampledFrom([]sweep.UserDates{sweep.CountUserDates, sweep.LastResortUserDates, sweep.NeverUserDates}).Draw(rt, "policy")
		dedupe := rapid.Bool().Draw(rt, "dedupe")
		world := dated.New(seed, users)

		sweepOnce := func(shuffle uint64, memory, chunk int) (*sweep.Report, map[record.Collection]map[string][]byte) {
			r := rand.New(rand.NewPCG(shuffle, 2))
			list := slices.Clone(world.Documents)
			for i := range list {
				list[i].Fields["_id"] = int64(i)
			}
			r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			docs := mem.NewDocuments(record.Limits{})
			for _, d := range list {
				docs.Insert(d.Collection, d.Fields)
			}
			sources := otherSources(world, rand.New(rand.NewPCG(seed, 3)))
			for _, s := range sources {
				c := s.(*dateList)
				r.Shuffle(len(c.list), func(i, j int) { c.list[i], c.list[j] = c.list[j], c.list[i] })
			}
			r.Shuffle(len(sources), func(i, j int) { sources[i], sources[j] = sources[j], sources[i] })
			report, err := sweep.New(sweep.Options{
				Documents: docs, Journal: mem.NewJournal(), Leases: new(mem.Leases), Dates: sources, UserDates: policy, Dedupe: dedupe,
				Now: dated.Now, Memory: memory, TempDir: dir, Chunk: chunk,
			}).Run(context.Background())
			if err != nil {
				rt.Fatal(err)
			}
			report.ID, report.StartedAt, report.Duration = "", dated.Now, 0
			return report, dump(docs)
		}
		want, wantDump := sweepOnce(1, sweep.DefaultMemory, sweep.DefaultChunk)
		got, gotDump := sweepOnce(
			rapid.Uint64().Draw(rt, "shuffle"), rapid.IntRange(1, 3000).Draw(rt, "memory"), rapid.IntRange(1, 40).Draw(rt, "chunk"))
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatal("the report differs: ", diff)
		}
		if !sameDump(wantDump, gotDump) {
			rt.Fatal("the documents differ")
		}
	})
}
