namespace TaskQueue.Engine.Callbacks;

/// <summary>What an attempt counts against in <see cref="CallbackLimits"/>.</summary>
/// <param name="Owner">Owner of its task or batch; empty is no owner.</param>
/// <param name="Origin">Its receiver; empty in rows written before the column existed.</param>
public readonly record struct CallbackSlot(string Owner, string Origin);

/// <summary>Maximum concurrent attempts of a process.</summary>
/// <param name="PerOrigin">Limit for one receiver of one owner.</param>
/// <param name="PerOwner">Limit for one owner.</param>
/// <param name="Unowned">Limit for callbacks without owner, as all are on a server without authentication.</param>
public sealed record CallbackLimits(int PerOrigin, int PerOwner, int Unowned);

/// <summary>Selects the callbacks that a scheduler claims.</summary>
/// <param name="GivenUpAt">When the claimed callbacks fall due again.</param>
/// <param name="Max">Maximum number of callbacks.</param>
/// <param name="Limits">Limits on concurrent attempts, including those in progress.</param>
/// <param name="Busy">The attempts in progress.</param>
public sealed record CallbackClaim(DateTime GivenUpAt, int Max, CallbackLimits Limits, IReadOnlyList<CallbackSlot> Busy)
{
    /// <summary>Owners that yield to others in this claim, whether or not their callbacks are due.</summary>
    public IReadOnlyCollection<string> PassedOver { get; init; } = [];

    /// <summary>Maximum concurrent attempts of an owner.</summary>
    public int MaxOf(string owner) => owner.Length == 0 ? Limits.Unowned : Limits.PerOwner;

    /// <summary>Owners at their limit.</summary>
    internal IReadOnlyCollection<string> FullOwners =>
        [.. Busy.CountBy(b => b.Owner).Where(o => o.Value >= MaxOf(o.Key)).Select(o => o.Key).Union(PassedOver, StringComparer.Ordinal)];

    /// <summary>Receivers at their limit.</summary>
    internal IReadOnlyCollection<CallbackSlot> FullOrigins =>
        [.. Busy.CountBy(b => b).Where(o => o.Value >= Limits.PerOrigin).Select(o => o.Key)];
}
