using System.Collections.Frozen;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace TaskQueue.Engine.Quotas;

/// <summary>
/// The quota of each tenant, cached in memory: the smallest of its issued keys, else its configured section, else the default.
/// </summary>
public sealed partial class TenantQuotas : IDisposable
{
    private readonly IQuotaStore _store;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly IDisposable? _watch;
    private readonly Lock _lock = new();
    private readonly HashSet<Guid> _told = [];
    private QuotaOptions _options;
    private Dictionary<string, QuotaLimits> _keys = [];
    private volatile Snapshot _current;

    /// <summary>Reads the configuration now and on every change.</summary>
    public TenantQuotas(IQuotaStore store, IOptionsMonitor<QuotaOptions> options, TimeProvider time, ILogger<TenantQuotas> logger)
    {
        ArgumentNullException.ThrowIfNull(options);
        (_store, _time, _logger) = (store, time, logger);
        _options = options.CurrentValue;
        _current = Snapshot.Of(_options, _keys);
        _watch = options.OnChange((changed, _) => Change(() => _options = changed));
    }

    /// <summary>The limits of a tenant; null values are unlimited. Without a tenant nothing is limited.</summary>
    public QuotaLimits Of(string? tenant) => tenant is null ? Snapshot.None : _current.Of(tenant);

    /// <summary>Whether any tenant has a limit on a resource.</summary>
    internal bool Limits(QuotaResource resource) => _current.Limited[(int)resource];

    /// <inheritdoc />
    public void Dispose() => _watch?.Dispose();

    /// <summary>Reads the quotas of issued keys.</summary>
    internal async Task ReadKeysAsync(CancellationToken cancellationToken)
    {
        var keys = await _store.ReadKeysAsync(_time.GetUtcNow().UtcDateTime, cancellationToken);
        var found = new Dictionary<string, QuotaLimits>(StringComparer.Ordinal);
        foreach (var key in keys)
        {
            if (Read(key.KeyId, key.Text) is { } limits)
                found[key.Tenant] = found.TryGetValue(key.Tenant, out var others) ? others.Min(limits) : limits;
        }

        Change(() => _keys = found);
    }

    private void Change(Action change)
    {
        lock (_lock)
        {
            change();
            _current = Snapshot.Of(_options, _keys);
        }
    }

    private QuotaLimits? Read(Guid id, string text)
    {
        try
        {
            if (QuotaLimits.FromText(text) is { Problem: null } limits)
                return limits;
        }
        catch (JsonException)
        {
            // Reported below.
        }

        if (_told.Add(id))
            LogUnreadable(id);
        return null;
    }

    [LoggerMessage(LogLevel.Error, "The quota of API key {Id} cannot be read and is ignored")]
    private partial void LogUnreadable(Guid id);

    private sealed record Snapshot(QuotaLimits Default, FrozenDictionary<string, QuotaLimits> Tenants, bool[] Limited)
    {
        public static readonly QuotaLimits None = new();

        public QuotaLimits Of(string tenant) => Tenants.TryGetValue(tenant, out var own) ? own : Default;

        public static Snapshot Of(QuotaOptions options, Dictionary<string, QuotaLimits> keys)
        {
            var tenants = options.Tenants.Keys.Union(keys.Keys, StringComparer.Ordinal).ToFrozenDictionary(
                tenant =>
                    tenant, tenant =>
                        keys.GetValueOrDefault(tenant, None).Or(options.Tenants.GetValueOrDefault(tenant, None)).Or(options.Default)
                            .Effective(), StringComparer.Ordinal);
            var byDefault = options.Default.Effective();
            var limited = Enum.GetValues<QuotaResource>()
                .Select(r => byDefault[r] is not null || tenants.Values.Any(limits => limits[r] is not null));
            return new(byDefault, tenants, [.. limited]);
        }
    }
}
