using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using TaskQueue.Engine.Ids;

namespace TaskQueue.Engine.Files;

/// <summary>
/// Generates file ids, <c>file-{yyMMddHHmmss}{instance}{serial}-{hash of the owner}</c> (bella.md 11). Two processes may, rarely, generate
/// the same id.
/// </summary>
internal sealed class FileIds(TimeProvider time)
{
    private readonly SnowflakeIds _stamps = new(time, NumberedTaskId.Counters, NumberedTaskId.Instances);

    public string New(string? owner)
    {
        var stamp = _stamps.Next();
        var at = DateTimeOffset.FromUnixTimeMilliseconds(stamp.Milliseconds);
        var serial = (at.Millisecond * NumberedTaskId.Counters) + stamp.Counter;
        var space = BitConverter.ToUInt32(SHA256.HashData(Encoding.UTF8.GetBytes(owner ?? ""))) % 1_000_000_000;
        return string.Create(CultureInfo.InvariantCulture, $"file-{at:yyMMddHHmmss}{stamp.Instance:D4}{serial:D6}-{space:D9}");
    }

    /// <summary>Draws a new instance number after another process generated the same id.</summary>
    public void DrawInstance() => _stamps.DrawInstance();
}
