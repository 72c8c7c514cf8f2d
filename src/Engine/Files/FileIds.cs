using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace TaskQueue.Engine.Files;

/// <summary>Makes ids of files, <c>file-{yyMMddHHmmss}{instance}{serial}-{hash of the owner}</c> (bella.md 11). Processes may draw the same, rarely.</summary>
internal sealed class FileIds(TimeProvider time)
{
    private const int PerMillisecond = 1000;

    private readonly Lock _gate = new();
    private long _last; // milliseconds * 1000 + counter
    private int _instance = RandomNumberGenerator.GetInt32(10_000);

    public string New(string? owner)
    {
        long stamp;
        lock (_gate)
            stamp = _last = Math.Max(time.GetUtcNow().ToUnixTimeMilliseconds() * PerMillisecond, _last + 1);
        var at = DateTimeOffset.FromUnixTimeMilliseconds(stamp / PerMillisecond);
        var serial = (at.Millisecond * PerMillisecond) + (stamp % PerMillisecond);
        var space = BitConverter.ToUInt32(SHA256.HashData(Encoding.UTF8.GetBytes(owner ?? ""))) % 1_000_000_000;
        return string.Create(CultureInfo.InvariantCulture, $"file-{at:yyMMddHHmmss}{_instance:D4}{serial:D6}-{space:D9}");
    }

    /// <summary>Another process has the same number.</summary>
    public void DrawInstance() => _instance = RandomNumberGenerator.GetInt32(10_000);
}
