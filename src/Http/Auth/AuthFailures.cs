using System.Buffers.Binary;
using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Http.Auth;

/// <summary>
/// Rate-limits guessing: one token bucket per IPv4 address and per IPv6 /64. Only credentials missing in memory are counted, so
/// callers with valid keys are never refused because of others at the same address.
/// </summary>
internal sealed class AuthFailures
{
    private const int MaxAddresses = 10_000;
    private const int HalfAddress = 8;

    private readonly IOptionsMonitor<LimitOptions> _options;
    private readonly TimeProvider _time;
    private readonly Counter<long> _failures;
    private readonly Dictionary<UInt128, LinkedListNode<Bucket>> _buckets = [];
    private readonly LinkedList<Bucket> _byUse = new();
    private readonly Lock _lock = new();

    public AuthFailures(IOptionsMonitor<LimitOptions> options, IMeterFactory meters, TimeProvider time)
    {
        (_options, _time) = (options, time);
        _failures = meters.Create(TaskQueueMeter.Name)
            .CreateCounter<long>("taskqueue.auth.failures", "{request}", "Requests without a valid key or token.");
    }

    /// <summary>Takes a token before a credential is checked.</summary>
    /// <returns>How long to wait if the bucket is empty; null if the credential may be checked.</returns>
    public TimeSpan? Take(IPAddress? address)
    {
        var rate = _options.CurrentValue.FailedAuthentications;
        lock (_lock)
        {
            var bucket = Touch(KeyOf(address), rate);
            if (bucket.Tokens >= 1)
            {
                bucket.Tokens--;
                return null;
            }

            return TimeSpan.FromSeconds((1 - bucket.Tokens) / rate.PerSecond);
        }
    }

    /// <summary>Returns a token: the credential was valid.</summary>
    public void Refund(IPAddress? address)
    {
        lock (_lock)
        {
            if (_buckets.TryGetValue(KeyOf(address), out var node))
                node.Value.Tokens++;
        }
    }

    /// <summary>Counts a failure for the metrics.</summary>
    /// <param name="reason"><c>missing</c>, <c>invalid</c> or <c>throttled</c>.</param>
    public void Count(string reason) => _failures.Add(1, new KeyValuePair<string, object?>("reason", reason));

    /// <summary>Formats an address for recording; addresses that share a bucket have the same form.</summary>
    public static string? Show(IPAddress? address)
    {
        if (address is null)
            return null;
        if (address.IsIPv4MappedToIPv6)
            return address.MapToIPv4().ToString();
        if (address.AddressFamily != AddressFamily.InterNetworkV6 || IPAddress.IsLoopback(address))
            return address.ToString();
        var bytes = address.GetAddressBytes();
        bytes.AsSpan(HalfAddress).Clear();
        return $"{new IPAddress(bytes)}/64";
    }

    private Bucket Touch(UInt128 key, RequestRate rate)
    {
        var now = _time.GetTimestamp();
        var size = rate.Burst ?? rate.PerSecond;
        if (_buckets.TryGetValue(key, out var node))
        {
            node.Value.Tokens = Math.Min(size,
                node.Value.Tokens + (_time.GetElapsedTime(node.Value.At, now).TotalSeconds * rate.PerSecond));
            node.Value.At = now;
            _byUse.Remove(node);
        }
        else
        {
            if (_buckets.Count >= MaxAddresses)
            {
                _buckets.Remove(_byUse.First!.Value.Key);
                _byUse.RemoveFirst();
            }

            node = new LinkedListNode<Bucket>(new Bucket(key) { Tokens = size, At = now });
            _buckets.Add(key, node);
        }

        _byUse.AddLast(node);
        return node.Value;
    }

    internal static UInt128 KeyOf(IPAddress? address)
    {
        Span<byte> bytes = stackalloc byte[16];
        if (address is null || !(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).TryWriteBytes(bytes, out var length))
            return UInt128.MaxValue;
        if (length == bytes.Length)
            bytes[HalfAddress..].Clear();
        return BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }

    private sealed class Bucket(UInt128 key)
    {
        public UInt128 Key { get; } = key;

        public double Tokens { get; set; }

        public long At { get; set; }
    }
}
