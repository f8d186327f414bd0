package redis

import (
	"context"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// keyPairs are the halves of API keys that a page met.
type keyPairs struct {
	named   []*probe // api_key:K → U
	current []half   // user_api_key:U → P
}

type half struct {
	user record.UserID
	p    *probe
}

// pair decides the halves that a page met, by looking up their counterparts, and holds those that nothing decides. With
// emit it delivers what is decided. It reports whether it held any.
func (r *reading) pair(ctx context.Context, emit bool) (held bool, err error) {
	claims := r.ownedClaims()
	undecided, err := r.matchClaims(ctx, claims, emit)
	if err != nil {
		return false, err
	}
	for _, c := range undecided {
		r.source.undecided.add(c.user, c.p.Key)
	}
	open, err := r.matchCurrent(ctx, emit)
	if err != nil {
		return false, err
	}
	for _, c := range open {
		r.source.undecided.add(c.user, "")
	}
	return len(undecided)+len(open) > 0, nil
}

// ownedClaims returns the claims that name a user who was asked for.
func (r *reading) ownedClaims() []half {
	var owned []half
	for _, p := range r.keyPairs.named {
		if user, ok := p.Owner(); ok && r.source.wanted.Has(record.APIKeys, user) {
			owned = append(owned, half{user: user, p: p})
		}
	}
	return owned
}

// matchClaims returns the claims that the users' current keys do not decide.
func (r *reading) matchClaims(ctx context.Context, claims []half, emit bool) (undecided []half, err error) {
	current := make([]*probe, len(claims))
	for i, c := range claims {
		current[i] = r.want(layout.UserAPIKey, layout.UserAPIKey.Key(c.p.Text))
	}
	if err := r.probeNew(ctx, current); err != nil {
		return nil, err
	}
	type rival struct {
		claim half
		other *probe
	}
	var rivals []rival
	var others []*probe
	for i, c := range claims {
		p := current[i]
		_, named := layout.Classify(c.p.Key)
		switch {
		case !p.hasWholeText():
			undecided = append(undecided, c)
		case p.Text == named:
			if emit {
				r.items = append(r.items, layout.Paired(c.user, c.p.Found, p.Found))
			}
		default:
			other := r.want(layout.APIKey, layout.APIKey.Key(p.Text))
			rivals, others = append(rivals, rival{claim: c, other: other}), append(others, other)
		}
	}
	if err := r.probeNew(ctx, others); err != nil {
		return nil, err
	}
	for _, v := range rivals {
		switch owner, ok := v.other.Owner(); {
		case !ok || owner != v.claim.user:
			undecided = append(undecided, v.claim)
		case emit:
			r.items = append(r.items, layout.Stale(v.claim.user, v.claim.p.Found))
		}
	}
	return undecided, nil
}

// matchCurrent returns the current keys that do not authenticate. One that does is delivered by its other half.
func (r *reading) matchCurrent(ctx context.Context, emit bool) (open []half, err error) {
	var others []*probe
	var asked []half
	for _, c := range r.keyPairs.current {
		switch {
		case c.p.State == layout.WrongType:
			if it, ok := layout.Damaged(c.p.Found); ok && emit {
				r.items = append(r.items, it)
			}
		case c.p.State == layout.Absent:
		case !c.p.hasWholeText():
			open = append(open, c)
		default:
			asked = append(asked, c)
			others = append(others, r.want(layout.APIKey, layout.APIKey.Key(c.p.Text)))
		}
	}
	if err := r.probeNew(ctx, others); err != nil {
		return nil, err
	}
	for i, c := range asked {
		if owner, ok := others[i].Owner(); !ok || owner != c.user {
			open = append(open, c)
		}
	}
	return open, nil
}

func (p *probe) hasWholeText() bool { return p.State == layout.Present && p.loaded }

// probeNew looks at those of the keys that were not looked at yet.
func (r *reading) probeNew(ctx context.Context, list []*probe) error {
	var fresh []*probe
	for _, p := range list {
		if !p.seen {
			p.seen = true
			fresh = append(fresh, p)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	return r.lookups().probe(ctx, fresh, r.source.askTTL)
}
