using System.Globalization;
using System.Text;

namespace TaskQueue.Engine.Encryption;

/// <summary>Where a value is stored. Sealed data opens in its own place only, so rows and columns cannot be swapped.</summary>
/// <param name="Field">Table and column.</param>
/// <param name="Id">The row.</param>
/// <param name="Name">The row, where its id is no Guid.</param>
internal readonly record struct Place(string Field, Guid Id, string Name = "")
{
    public byte[] ToBytes() => Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Field}|{Id:N}|{Name}"));

    /// <summary>A result is stored with its task, and again as the body of the callback that delivers it.</summary>
    public static Place Result(Guid id) => new("tasks.result", id);

    /// <summary>An error is stored with its task and in the timeline.</summary>
    public static Place Error(Guid id) => new("tasks.error", id);
}
