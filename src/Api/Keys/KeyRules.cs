using TaskQueue.Engine.Auth;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.Api.Keys;

/// <summary>
/// Nobody gives or takes more than they have: an operator issues any key, another administrator only keys of its own tenant
/// that may do nothing that it may not do itself.
/// </summary>
internal static class KeyRules
{
    /// <summary>Whether a key exists for the caller.</summary>
    public static bool CanSee(Caller caller, ApiKeyRecord key) => caller.IsOperator || key.Tenant == caller.Tenant;

    /// <summary>A key that the caller issues must be within its own rights. Sets what it inherits.</summary>
    /// <exception cref="ApiException">403.</exception>
    /// <param name="caller">The administrator.</param>
    /// <param name="key">What it asks for.</param>
    /// <param name="common">The rate of callers without one of their own; null is no limit.</param>
    public static void DemandIssue(Caller caller, ApiKeyRecord key, RequestRate? common)
    {
        if (caller.IsOperator)
            return;
        if (key.QuotaText is not null)
            throw Forbidden("only an operator gives a quota");
        key.RateText ??= KeyTexts.OfRate(caller.Rate);

        key.ExpiresAt ??= caller.ExpiresAt;
        DemandChange(caller, key, common);
    }

    /// <summary>A key that the caller rotates or revokes must be within its own rights.</summary>
    /// <exception cref="ApiException">403.</exception>
    public static void DemandChange(Caller caller, ApiKeyRecord key, RequestRate? common)
    {
        if (caller.IsOperator)
            return;
        if (key.Tenant != caller.Tenant)
            throw Forbidden($"your key administrates tenant {caller.Tenant} only");
        if (!KeyTexts.IsConfined(key))
            throw Forbidden("this key is not confined to your tenant; an operator changes it");
        var (own, work) = (caller.Access(Scope.Admin).Own, caller.Access(Scope.Work).Own);
        // Workers get the tasks of every tenant, so an administrator of one tenant gives work only where it may work itself.
        if (KeyTexts.Grants(key).FirstOrDefault(grant => !(grant.Scope == Scope.Work ? work : own).Covers(grant.Queues)) is { } beyond)
            throw Forbidden($"your key may not give {Scopes.Word(beyond.Scope == Scope.All ? Scope.Admin : beyond.Scope)} in "
                + $"{beyond.Queues}: it administrates {own}, and works on {(work.IsNone ? "no queue" : work)}");
        if ((caller.Rate ?? common) is { } most && (KeyTexts.Rate(key) ?? common) is var rate
            && (rate is null || rate.PerSecond > most.PerSecond || BurstOf(rate) > BurstOf(most)))
            throw Forbidden($"the rate of the key must not exceed the one of yours, which is {most.PerSecond} a second and "
                + $"{BurstOf(most)} at once");
        if (caller.ExpiresAt is { } until && !(key.ExpiresAt <= until))
            throw Forbidden("the key must not last longer than yours");
    }

    private static int BurstOf(RequestRate rate) => rate.Burst ?? rate.PerSecond;

    private static ApiException Forbidden(string message) => new(403, "forbidden", message);
}
