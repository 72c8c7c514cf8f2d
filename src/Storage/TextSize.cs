using Microsoft.EntityFrameworkCore;

namespace TaskQueue.Storage;

/// <summary>The length of a stored text in bytes, computed by the database without reading the text.</summary>
internal static class TextSize
{
    /// <summary>For queries only; null for null.</summary>
    public static long? Of(string? text) => throw new NotSupportedException($"{text?.Length}: for queries only.");

    /// <summary>Maps it to the database's function.</summary>
    public static void Map(ModelBuilder model, string? provider) =>
        model.HasDbFunction(typeof(TextSize).GetMethod(nameof(Of))!)
            .HasName(provider?.EndsWith("SqlServer", StringComparison.Ordinal) == true ? "datalength" : "octet_length").IsBuiltIn();
}
