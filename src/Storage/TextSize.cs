using Microsoft.EntityFrameworkCore;

namespace TaskQueue.Storage;

/// <summary>The length of a stored text in bytes, as the database knows it without reading the text.</summary>
internal static class TextSize
{
    /// <summary>In queries only; null of null.</summary>
    public static long? Of(string? text) => throw new NotSupportedException($"{text?.Length}: in queries only.");

    /// <summary>Which function it is in the database.</summary>
    public static void Map(ModelBuilder model, string? provider) =>
        model.HasDbFunction(typeof(TextSize).GetMethod(nameof(Of))!)
            .HasName(provider?.EndsWith("SqlServer", StringComparison.Ordinal) == true ? "datalength" : "octet_length").IsBuiltIn();
}
