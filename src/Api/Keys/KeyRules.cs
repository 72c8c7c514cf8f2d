using TaskQueue.Engine.Auth;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.Api.Keys;

/// <summary>
/// Prevents privilege escalation: an operator may issue any key; another administrator only keys of its own tenant with no more
/// rights than its own.
/// </summary>
internal static class KeyRules
{
    /// <summary>Whether the caller may see a key.</summary>
    public static bool CanSee(Caller caller, ApiKeyRecord key) => caller.IsOperator || key.Tenant == caller.Tenant;

    /// <summary>Demands a caller that sees payloads: the secret of a key would show it all that its session hides.</summary>
    /// <exception cref="ApiException">403.</exception>
    public static void DemandPayloads(Caller caller)
    {
        if (caller.HidesPayloads)
            throw Forbidden("this session hides payloads, and a key would show them; use an API key to issue or rotate keys");
    }

    /// <summary>Demands that an issued key stays within the caller's rights. Sets inherited limits.</summary>
    /// <exception cref="ApiException">403.</exception>
    /// <param name="caller">The administrator.</param>
    /// <param name="key">The requested key.</param>
    /// <param name="common">Default rate of callers; null: no limit.</param>
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

    /// <summary>Demands that a rotated or revoked key is within the caller's rights.</summary>
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
        // Workers receive the tasks of every tenant, so an administrator of one tenant may grant work only where it may work itself.
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
