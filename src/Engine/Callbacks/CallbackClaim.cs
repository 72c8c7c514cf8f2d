namespace TaskQueue.Engine.Callbacks;

/// <summary>What a try of a callback counts against.</summary>
/// <param name="Owner">Owner of its task or batch; empty is nobody.</param>
/// <param name="Origin">Its receiver; empty for callbacks from before it was kept.</param>
public readonly record struct CallbackSlot(string Owner, string Origin);

/// <summary>How many tries a process has under way at once.</summary>
/// <param name="PerOrigin">For one receiver of one owner.</param>
/// <param name="PerOwner">For one owner.</param>
/// <param name="Unowned">For what belongs to nobody, as all does on a server without authentication.</param>
public sealed record CallbackLimits(int PerOrigin, int PerOwner, int Unowned);

/// <summary>Which callbacks a scheduler takes.</summary>
/// <param name="GivenUpAt">They fall due again then.</param>
/// <param name="Max">At most this many.</param>
/// <param name="Limits">Tries at once, those that it has now among them.</param>
/// <param name="Busy">The tries that it has now.</param>
public sealed record CallbackClaim(DateTime GivenUpAt, int Max, CallbackLimits Limits, IReadOnlyList<CallbackSlot> Busy)
{
    /// <summary>Owners whose turn others have first, whatever their own callbacks wait for.</summary>
    public IReadOnlyCollection<string> PassedOver { get; init; } = [];

    /// <summary>Tries that an owner may have at once.</summary>
    public int MaxOf(string owner) => owner.Length == 0 ? Limits.Unowned : Limits.PerOwner;

    /// <summary>Owners of whom it takes no more.</summary>
    internal IReadOnlyCollection<string> FullOwners =>
        [.. Busy.CountBy(b => b.Owner).Where(o => o.Value >= MaxOf(o.Key)).Select(o => o.Key).Union(PassedOver, StringComparer.Ordinal)];

    /// <summary>Receivers for which it takes no more.</summary>
    internal IReadOnlyCollection<CallbackSlot> FullOrigins =>
        [.. Busy.CountBy(b => b).Where(o => o.Value >= Limits.PerOrigin).Select(o => o.Key)];
}
