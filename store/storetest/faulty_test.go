package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
)

// A wrong is a way in which a backend may be wrong.
type wrong struct {
	name   string
	breaks []string // the promises that must fail, as "chapter/name"
	fault  func(f *faulty)
}

// wrongs returns a way to break every promise at least.
func wrongs() []wrong {
	return slices.Concat(
		wrongApplications, wrongCodes, wrongRefresh, wrongTokens, wrongConsents, wrongRevocation, wrongCleanup, wrongValues, wrongRaces,
		wrongDevices, wrongDeviceValues, wrongDecisions, wrongPolls, wrongDeviceCleanup, wrongDeviceRaces,
	)
}

// A faulty store is a right one of which some methods are replaced.
type faulty struct {
	store.Store
	store.Devices

	createApplication func(context.Context, store.Application) error
	findApplication   func(context.Context, string) (store.Application, error)
	findClient        func(context.Context, string) (store.Application, error)
	listApplications  func(context.Context, store.ApplicationQuery) ([]store.Application, int, error)
	updateApplication func(context.Context, store.Application) error
	deleteApplication func(context.Context, string) error

	createGrant   func(context.Context, store.NewGrant) error
	redeemCode    func(context.Context, store.CodeRedemption) (store.Issued, error)
	rotateRefresh func(context.Context, store.RefreshRotation) (store.Issued, error)
	findToken     func(context.Context, store.Key) (store.Token, store.Grant, error)
	revokeToken   func(context.Context, store.TokenRevocation) error
	findConsent   func(context.Context, string, string) (store.Consent, error)
	listConsents  func(context.Context, string) ([]store.Consent, error)
	listGrants    func(context.Context, store.GrantQuery) ([]store.Grant, int, error)
	revokeGrants  func(context.Context, store.GrantFilter, time.Time) (int, error)
	deleteExpired func(context.Context, store.Expiry) (int, error)

	createDevice  func(context.Context, store.Device) error
	findDevice    func(context.Context, store.Hash) (store.Device, error)
	decideDevice  func(context.Context, store.DeviceDecision) error
	pollDevice    func(context.Context, store.DevicePoll) (store.PolledDevice, error)
	deleteDevices func(context.Context, time.Time, int) (int, error)
}

// newFaulty returns a new store that has no fault yet.
func newFaulty() *faulty {
	right := memory.New()
	return &faulty{Store: right, Devices: right}
}

func (f *faulty) CreateApplication(ctx context.Context, app store.Application) error {
	if f.createApplication != nil {
		return f.createApplication(ctx, app)
	}
	return f.Store.CreateApplication(ctx, app)
}

func (f *faulty) FindApplication(ctx context.Context, id string) (store.Application, error) {
	if f.findApplication != nil {
		return f.findApplication(ctx, id)
	}
	return f.Store.FindApplication(ctx, id)
}

func (f *faulty) FindClient(ctx context.Context, clientID string) (store.Application, error) {
	if f.findClient != nil {
		return f.findClient(ctx, clientID)
	}
	return f.Store.FindClient(ctx, clientID)
}

func (f *faulty) ListApplications(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
	if f.listApplications != nil {
		return f.listApplications(ctx, q)
	}
	return f.Store.ListApplications(ctx, q)
}

func (f *faulty) UpdateApplication(ctx context.Context, app store.Application) error {
	if f.updateApplication != nil {
		return f.updateApplication(ctx, app)
	}
	return f.Store.UpdateApplication(ctx, app)
}

func (f *faulty) DeleteApplication(ctx context.Context, id string) error {
	if f.deleteApplication != nil {
		return f.deleteApplication(ctx, id)
	}
	return f.Store.DeleteApplication(ctx, id)
}

func (f *faulty) CreateGrant(ctx context.Context, n store.NewGrant) error {
	if f.createGrant != nil {
		return f.createGrant(ctx, n)
	}
	return f.Store.CreateGrant(ctx, n)
}

func (f *faulty) RedeemCode(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
	if f.redeemCode != nil {
		return f.redeemCode(ctx, r)
	}
	return f.Store.RedeemCode(ctx, r)
}

func (f *faulty) RotateRefresh(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
	if f.rotateRefresh != nil {
		return f.rotateRefresh(ctx, r)
	}
	return f.Store.RotateRefresh(ctx, r)
}

func (f *faulty) FindToken(ctx context.Context, k store.Key) (store.Token, store.Grant, error) {
	if f.findToken != nil {
		return f.findToken(ctx, k)
	}
	return f.Store.FindToken(ctx, k)
}

func (f *faulty) RevokeToken(ctx context.Context, r store.TokenRevocation) error {
	if f.revokeToken != nil {
		return f.revokeToken(ctx, r)
	}
	return f.Store.RevokeToken(ctx, r)
}

func (f *faulty) FindConsent(ctx context.Context, userID, applicationID string) (store.Consent, error) {
	if f.findConsent != nil {
		return f.findConsent(ctx, userID, applicationID)
	}
	return f.Store.FindConsent(ctx, userID, applicationID)
}

func (f *faulty) ListConsents(ctx context.Context, userID string) ([]store.Consent, error) {
	if f.listConsents != nil {
		return f.listConsents(ctx, userID)
	}
	return f.Store.ListConsents(ctx, userID)
}

func (f *faulty) ListGrants(ctx context.Context, q store.GrantQuery) ([]store.Grant, int, error) {
	if f.listGrants != nil {
		return f.listGrants(ctx, q)
	}
	return f.Store.ListGrants(ctx, q)
}

func (f *faulty) RevokeGrants(ctx context.Context, filter store.GrantFilter, at time.Time) (int, error) {
	if f.revokeGrants != nil {
		return f.revokeGrants(ctx, filter, at)
	}
	return f.Store.RevokeGrants(ctx, filter, at)
}

func (f *faulty) DeleteExpired(ctx context.Context, e store.Expiry) (int, error) {
	if f.deleteExpired != nil {
		return f.deleteExpired(ctx, e)
	}
	return f.Store.DeleteExpired(ctx, e)
}

func (f *faulty) CreateDevice(ctx context.Context, d store.Device) error {
	if f.createDevice != nil {
		return f.createDevice(ctx, d)
	}
	return f.Devices.CreateDevice(ctx, d)
}

func (f *faulty) FindDevice(ctx context.Context, userCode store.Hash) (store.Device, error) {
	if f.findDevice != nil {
		return f.findDevice(ctx, userCode)
	}
	return f.Devices.FindDevice(ctx, userCode)
}

func (f *faulty) DecideDevice(ctx context.Context, d store.DeviceDecision) error {
	if f.decideDevice != nil {
		return f.decideDevice(ctx, d)
	}
	return f.Devices.DecideDevice(ctx, d)
}

func (f *faulty) PollDevice(ctx context.Context, p store.DevicePoll) (store.PolledDevice, error) {
	if f.pollDevice != nil {
		return f.pollDevice(ctx, p)
	}
	return f.Devices.PollDevice(ctx, p)
}

func (f *faulty) DeleteDevices(ctx context.Context, before time.Time, limit int) (int, error) {
	if f.deleteDevices != nil {
		return f.deleteDevices(ctx, before, limit)
	}
	return f.Devices.DeleteDevices(ctx, before, limit)
}

// revokeID revokes one grant, as a store does that gives up too soon.
func (f *faulty) revokeID(ctx context.Context, id store.GrantID, at time.Time) {
	f.Store.RevokeGrants(ctx, store.GrantFilter{ID: id}, at)
}

// pause lets others go on between a read and a write that belong together.
func pause() { time.Sleep(200 * time.Microsecond) }
