package redisstore

import (
	"fmt"

	"github.com/latchkey-go/latchkey/store"
)

// shardCount is how many shards the users are spread over. All keys of a shard
// have the same hash tag, so they lie in one slot of a Redis Cluster and one
// script may touch several of them.
//
// It is a compromise that can never be changed: a cluster balances whole
// shards, so there should be many more than it will have servers, and a step
// by application visits every shard, so there should not be more than can be
// asked in a few milliseconds.
const shardCount = 1 << shardBits

const shardBits = 10

// A shard is the part of the keys in which everything of some users lies, and
// everything of some device authorizations.
type shard uint16

// shardOf returns the shard of all users, grants and device authorizations with
// the tag.
func shardOf(tag uint16) shard { return shard(tag >> (16 - shardBits)) }

// keys names the keys of a store.
type keys struct{ prefix string }

func (k keys) in(sh shard, name string) string {
	return fmt.Sprintf("%s{%03x}:%s", k.prefix, uint16(sh), name)
}

// grant is the hash of one grant, with everything that hangs from it.
func (k keys) grant(id store.GrantID) string { return k.in(shardOf(id.Tag()), "g:"+string(id[:])) }

// tag is the sorted set of the ids of all grants of the users with one tag,
// revoked ones too: a step by user starts here. It is by tag rather than by
// user because a step by token knows the tag but not the user.
func (k keys) tag(tag uint16) string { return k.in(shardOf(tag), fmt.Sprintf("t:%04x", tag)) }

// application is the sorted set of the ids of the shard's grants to an
// application that are not revoked, by when they were created.
func (k keys) application(sh shard, id string) string { return k.in(sh, "a:"+id) }

// due is the sorted set of the shard's grants by when a cleanup should look at
// them: never later than when something on them expires. Its members are
// made by [member].
func (k keys) due(sh shard) string { return k.in(sh, "due") }

// salts is the sorted set of the shard's grants that keep the salt of a
// rotation, by when that was. Its members are those of due.
func (k keys) salts(sh shard) string { return k.in(sh, "salts") }

// consents is the hash of the consents of a user, by application.
func (k keys) consents(userID string) string {
	return k.in(shardOf(store.UserTag(userID)), "c:"+userID)
}

// consenters is the set of the shard's users who have a consent to an
// application.
func (k keys) consenters(sh shard, applicationID string) string { return k.in(sh, "k:"+applicationID) }

// device is the hash of one device authorization, and userCode the text of its
// id. Both have the same tag.
func (k keys) device(id store.DeviceID) string { return k.in(shardOf(id.Tag()), "d:"+string(id[:])) }

func (k keys) userCode(h store.Hash) string {
	return k.in(shardOf(store.DeviceTag(h)), "u:"+string(h[:]))
}

// ends is the sorted set of the shard's device authorizations by when they
// expire. Its members are made by [deviceMember].
func (k keys) ends(sh shard) string { return k.in(sh, "ends") }

// records is the hash of all applications, by id, and clients the hash of
// their ids, by client id. All lie in one slot, so that both ids of an
// application are taken in one step.
func (k keys) records() string { return k.prefix + "{apps}:records" }
func (k keys) clients() string { return k.prefix + "{apps}:clients" }

// member returns what stands for a grant in due and salts: its id and its
// application's. With these all keys that name the grant are known, even if
// Redis has let go of the grant itself.
func member(id store.GrantID, applicationID string) string { return string(id[:]) + applicationID }

func splitMember(member string) (id store.GrantID, applicationID string) {
	n := copy(id[:], member)
	return id, member[n:]
}

// deviceMember returns what stands for a device authorization in ends: its id
// and the hash of its user code.
func deviceMember(id store.DeviceID, userCode store.Hash) string {
	return string(id[:]) + string(userCode[:])
}

func splitDeviceMember(member string) (id store.DeviceID, userCode store.Hash) {
	n := copy(id[:], member)
	copy(userCode[:], member[n:])
	return id, userCode
}
