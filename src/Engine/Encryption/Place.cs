using System.Globalization;
using System.Text;

namespace TaskQueue.Engine.Encryption;

/// <summary>Where a value is stored. Sealed data opens only in its own place, so rows and columns cannot be swapped.</summary>
/// <param name="Field">Table and column.</param>
/// <param name="Id">Id of the row.</param>
/// <param name="Name">Identifies the row if its id is no Guid.</param>
internal readonly record struct Place(string Field, Guid Id, string Name = "")
{
    public byte[] ToBytes() => Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Field}|{Id:N}|{Name}"));

    /// <summary>The place of a result, stored with its task and in the body of the callback that delivers it.</summary>
    public static Place Result(Guid id) => new("tasks.result", id);

    /// <summary>The place of an error, stored with its task and in the timeline.</summary>
    public static Place Error(Guid id) => new("tasks.error", id);

    /// <summary>The place of the last error of an operation on many tasks.</summary>
    public static Place OperationError(Guid id) => new("operations.last_error", id);
}
