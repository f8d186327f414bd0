package mirror

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lanyardctl/lanyardctl/record"
)

// applying is the work on a batch of marks: what the source holds of them is read, and the target made equal to it.
type applying struct {
	*Job
	session *Session
	sink    Sink
	batch   batch

	mu    sync.Mutex
	fates map[mark]Fate
	again []mark // that have to be looked at once more
}

// apply makes the target equal to the source in what is marked. It may be called again with the same batch.
func (j *Job) apply(ctx context.Context, s *Session, sink Sink, b batch) (map[mark]Fate, error) {
	a := &applying{Job: j, session: s, sink: sink, batch: b, fates: make(map[mark]Fate, len(b))}
	users, apiKeys := make([][]record.UserID, record.KindCount), make(map[record.UserID][]string)
	var kinds record.Kinds
	var keys []string
	for k := range b {
		kinds = kinds.With(k.kind)
		switch {
		case k.apiKey != "":
			keys = append(keys, k.apiKey)
		case k.user != 0:
			users[k.kind] = append(users[k.kind], k.user)
		}
	}
	if err := a.whose(ctx, keys, apiKeys); err != nil {
		return nil, err
	}
	users[record.APIKeys] = slices.AppendSeq(users[record.APIKeys], maps.Keys(apiKeys))
	group, ctx := errgroup.WithContext(ctx)
	for _, kind := range kinds.List() {
		group.Go(func() error {
			if !kind.OfUsers() {
				return a.nobodys(ctx, kind)
			}
			slices.Sort(users[kind])
			return a.users(ctx, kind, slices.Compact(users[kind]), apiKeys)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	j.marks.put(false, a.again...)
	return a.fates, nil
}

// whose finds the users of API keys, on both sides, and enters the keys as theirs.
func (a *applying) whose(ctx context.Context, keys []string, of map[record.UserID][]string) error {
	if len(keys) == 0 {
		return nil
	}
	for _, side := range []record.APIKeyOwners{a.session.Owners, a.opts.Target} {
		owners, err := side.APIKeyOwners(ctx, keys)
		if err != nil {
			return err
		}
		for key, user := range owners {
			if user != 0 && !slices.Contains(of[user], key) {
				of[user] = append(of[user], key)
			}
		}
	}
	return nil
}

// held is what the source holds of a user.
type held struct {
	item     record.Item // with a record, if there is one
	rejects  []record.Reject
	found    bool
	apiKeys  []string // that authenticate, though they are rejected
	document []record.Document
}

// users makes the target equal in what it holds of users of one kind.
func (a *applying) users(ctx context.Context, kind record.Kind, users []record.UserID, apiKeys map[record.UserID][]string) error {
	all := make(map[record.UserID]*held, len(users))
	for _, user := range users {
		all[user] = &held{}
	}
	if kind.Admits() {
		// What the target has of a user may be one that authenticates, without being the user's current one.
		if err := a.documents(ctx, kind, users, all); err != nil {
			return err
		}
		candidates := make(map[record.UserID][]string, len(users))
		for user, h := range all {
			candidates[user] = slices.Clone(apiKeys[user])
			for _, d := range h.document {
				if key := d.Held.APIKey; key != "" && !slices.Contains(candidates[user], key) {
					candidates[user] = append(candidates[user], key)
				}
			}
		}
		apiKeys = candidates
	}
	if err := a.read(ctx, kind, users, apiKeys, all); err != nil {
		return err
	}
	var without []record.UserID
	for user, h := range all {
		if h.item.Record == nil {
			without = append(without, user)
		}
	}
	if !kind.Admits() && len(without) > 0 {
		if err := a.documents(ctx, kind, without, all); err != nil {
			return err
		}
	}
	if err := a.remove(ctx, kind, without, all); err != nil {
		return err
	}
	return a.write(ctx, kind, all)
}

func (a *applying) documents(ctx context.Context, kind record.Kind, users []record.UserID, all map[record.UserID]*held) error {
	for _, user := range users {
		all[user].document = nil
	}
	return a.opts.Target.ReadUsers(ctx, kind, users, func(documents []record.Document) error {
		for _, d := range documents {
			if h := all[d.User]; h != nil {
				h.document = append(h.document, d)
			}
		}
		return nil
	})
}

func (a *applying) read(
	ctx context.Context, kind record.Kind, users []record.UserID, apiKeys map[record.UserID][]string, all map[record.UserID]*held,
) error {
	limits := a.sink.Limits()
	return a.session.Points(apiKeys).ReadUsers(ctx, record.Kinds(0).With(kind), users, func(p record.Page) error {
		for _, it := range p.Items {
			h := all[it.User()]
			if h == nil || it.Kind != kind {
				continue
			}
			it = limits.Apply(it)
			h.found = true
			h.rejects = append(h.rejects, it.Rejects...)
			if it.APIKey != "" {
				h.apiKeys = append(h.apiKeys, it.APIKey)
			}
			if it.Record != nil || h.item.Record == nil {
				h.item = it
			}
		}
		return nil
	})
}

// remove deletes the documents of users of whom the source holds nothing any more, where they are the mirror's own.
func (a *applying) remove(ctx context.Context, kind record.Kind, without []record.UserID, all map[record.UserID]*held) error {
	var gone []record.Document
	slices.Sort(without)
	for _, user := range without {
		h := all[user]
		own := slices.IndexFunc(h.document, func(d record.Document) bool { return d.Held.Unmodified })
		switch {
		case h.found && own >= 0 && kind.Shape() == record.FieldsShape:
			// Some pairs are there that cannot be written; others may be gone.
			h.item.Record = &record.Record{Kind: kind, User: user, Omitted: h.item.Omitted()}
		case h.found && (!kind.Admits() || len(h.document) > 0 && slices.Contains(h.apiKeys, h.document[0].Held.APIKey)):
			a.fate(kind, user, Rejected, h.rejects)
		case own >= 0:
			gone = append(gone, h.document[own])
		case h.found:
			a.fate(kind, user, Rejected, h.rejects)
		case len(h.document) > 0:
			a.fate(kind, user, Kept, nil)
		default:
			a.fate(kind, user, Absent, nil)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	if !a.losses.allow(kind, int64(len(gone))) {
		for _, d := range gone {
			a.fate(kind, d.User, HeldBack, all[d.User].rejects)
		}
		return nil
	}
	deletions, err := a.sink.Delete(ctx, gone, a.keep)
	if err != nil {
		return err
	}
	for i, deletion := range deletions {
		user := gone[i].User
		switch deletion {
		case record.DeletionDone:
			if !a.opts.Beside {
				a.losses.count(kind, 1)
			}
			a.fate(kind, user, Deleted, all[user].rejects)
		case record.DeletionAbsent:
			a.fate(kind, user, Absent, all[user].rejects)
		case record.DeletionModified:
			a.lookAgain(kind, user)
		}
	}
	return nil
}

// write merges what the source holds.
func (a *applying) write(ctx context.Context, kind record.Kind, all map[record.UserID]*held) error {
	var records []record.Record
	for _, user := range slices.Sorted(maps.Keys(all)) {
		if r := all[user].item.Record; r != nil {
			records = append(records, *r)
		}
	}
	if len(records) == 0 {
		return nil
	}
	outcomes, err := a.sink.Write(ctx, records, a.keep)
	if err != nil {
		return err
	}
	var passing []record.Record
	for i, o := range outcomes {
		r := records[i]
		if o.Status == record.Conflicted && kind.Admits() {
			passing = append(passing, r)
			continue
		}
		if o.Status == record.Inserted && !a.opts.Beside {
			a.losses.count(kind, -1)
		}
		a.fate(kind, r.User, fateOf(o.Status), append(slices.Clip(all[r.User].rejects), o.Rejects...))
		a.problems.settled(kind, r.User)
	}
	if len(passing) == 0 {
		return nil
	}
	// The source gave the key to another user, and the document of the one who had it may not have been looked at yet.
	keys := make([]string, len(passing))
	for i, r := range passing {
		keys[i] = r.APIKey
	}
	owners, err := a.opts.Target.APIKeyOwners(ctx, keys)
	if err != nil {
		return err
	}
	for i, r := range passing {
		if owner := owners[keys[i]]; owner != 0 && owner != r.User && a.problems.worthAgain(kind, r.User) {
			a.lookAgain(kind, owner)
			a.lookAgain(kind, r.User)
			continue
		}
		at := slices.IndexFunc(records, func(o record.Record) bool { return o.User == r.User })
		a.fate(kind, r.User, Conflicted, append(slices.Clip(all[r.User].rejects), outcomes[at].Rejects...))
	}
	return nil
}

// nobodys merges what is no user's.
func (a *applying) nobodys(ctx context.Context, kind record.Kind) error {
	limits := a.sink.Limits()
	var records []record.Record
	var rejects []record.Reject
	err := a.session.Points(nil).ReadUsers(ctx, record.Kinds(0).With(kind), nil, func(p record.Page) error {
		for _, it := range p.Items {
			it = limits.Apply(it)
			rejects = append(rejects, it.Rejects...)
			if it.Record != nil {
				records = append(records, *it.Record)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(records) == 0 {
		fate := Kept // they only grow, so they are never deleted
		if len(rejects) > 0 {
			fate = Rejected
		}
		a.fate(kind, 0, fate, rejects)
		return nil
	}
	outcomes, err := a.sink.Write(ctx, records, a.keep)
	if err != nil {
		return err
	}
	a.fate(kind, 0, fateOf(outcomes[0].Status), append(rejects, outcomes[0].Rejects...))
	return nil
}

func (a *applying) lookAgain(kind record.Kind, user record.UserID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.again = append(a.again, mark{kind: kind, user: user})
}

func (a *applying) fate(kind record.Kind, user record.UserID, f Fate, rejects []record.Reject) {
	k := mark{kind: kind, user: user}
	a.mu.Lock()
	a.fates[k] = f
	a.mu.Unlock()
	a.problems.enter(k, f, rejects)
}

// keep keeps values that give way, but for the mirror's own copies of what the source itself has replaced: the feed told of
// that. What a comparison finds may be a source that went back to an older state.
func (a *applying) keep(values []record.Superseded) error {
	kept := make([]record.Superseded, 0, len(values))
	for _, v := range values {
		if by, told := a.batch[mark{kind: v.Kind, user: v.User}]; !v.Mirrored || told && by.compared {
			kept = append(kept, v)
		}
	}
	if len(kept) == 0 || a.opts.Beside {
		return nil
	}
	return a.files.keep(kept)
}

// oldest returns when the first mark of the batch was made.
func (b batch) oldest() (oldest time.Time) {
	for _, by := range b {
		if oldest.IsZero() || by.at.Before(oldest) {
			oldest = by.at
		}
	}
	return oldest
}
